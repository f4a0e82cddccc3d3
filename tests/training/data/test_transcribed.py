"""Examples with words: true ones of labeled speech, a teacher's of unlabeled speech."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.recipe import Recipe
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import SlabRef
from ssl_asr.training.data.transcribed import TranscribedReader
from tests.finished_run import TEXTS
from tests.transducer_run import write_hypotheses


def read(recipe: Recipe, split: str, **settings: float) -> list[Example]:
    reader = TranscribedReader(recipe.run, 64, hypothesis_set(recipe).id, **settings)
    entries = ShardStore(recipe.run, features.STORE).entries(split)
    refs = [SlabRef(entry.shard, slab, 0) for entry in entries for slab in range(len(entry.slabs))]
    return [each for ref in refs for each in reader.read(split, ref, 1)]


def test_labeled_speech_has_its_own_words_and_no_labels_of_frames(transducer_recipe: Recipe) -> None:
    examples = read(transducer_recipe, "labeled")
    assert sorted(each.text or "" for each in examples) == sorted(TEXTS["labeled"])
    for each in examples:
        assert each.targets.senones.shape == (len(each.frames), 0)
        assert each.frames.shape[1] == 192


def test_unlabeled_speech_has_the_teachers_words(transducer_recipe: Recipe) -> None:
    write_hypotheses(transducer_recipe, {"two cats": "a dog", "cats sat": ""})
    assert sorted(each.text or "" for each in read(transducer_recipe, "unlabeled")) == [
        "a cat",
        "a dog",
        "sat to a cat",
    ]


def test_words_that_the_teacher_doubts_are_left_out(transducer_recipe: Recipe) -> None:
    examples = read(transducer_recipe, "unlabeled", least_confidence=0.6)
    assert sorted(each.text or "" for each in examples) == ["sat to a cat", "two cats"]


def test_hypotheses_of_other_speech_are_refused(transducer_recipe: Recipe) -> None:
    store = ShardStore(transducer_recipe.run, features.STORE)
    first, second = store.entries("unlabeled")[:2]
    words = hypothesis_set(transducer_recipe).store
    Path(words.uri(first.shard)).write_bytes(Path(words.uri(second.shard)).read_bytes())
    with pytest.raises(ValueError, match="run the stage 'hypotheses' again"):
        read(transducer_recipe, "unlabeled")
