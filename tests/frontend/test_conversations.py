"""Conversations of a shard's recorded speech: real sums, decided by seed, slab and pass alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus.mixtures.simulation import grouped
from ssl_asr.frontend.conversations import Conversation
from ssl_asr.frontend.extract import ExtractedUtterance, Extractor
from ssl_asr.frontend.lfbe import lfbe
from ssl_asr.frontend.streams import normalise
from ssl_asr.recipe import Mixtures, Recipe
from ssl_asr.store.ledger import Shard
from ssl_asr.store.utterance import CLEAN
from tests.conversations import SHARD, conversation_maker, listed, real_speech

DRY = Mixtures(room_share=0, level_db=0)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return real_speech(tmp_path_factory.mktemp("conversations"))


def made(recipe: Recipe, slab: int, sweep: int | None, mixtures: Mixtures = DRY) -> list[Conversation]:
    return conversation_maker(recipe, mixtures).of_slab(SHARD, slab, sweep)


def content(found: list[Conversation]) -> list[tuple[str, bytes, object]]:
    return [(each.id, each.frames.tobytes(), each.turns) for each in found]


def test_frames_are_those_of_the_added_samples(recipe: Recipe) -> None:
    maker = conversation_maker(recipe, DRY.model_copy(update={"turns": (3, 3), "overlap_share": 1.0}))
    rows, rate = {each.id: each for each in listed(recipe)}, recipe.frontend.sample_rate
    overlaps = 0
    for each in (each for sweep in range(3) for slab in range(2) for each in maker.of_slab(SHARD, slab, sweep)):
        heard = [Extractor(recipe, "labeled").waveform(rows[turn.id]) for turn in each.turns]
        first = np.mean(heard[0].astype(float) ** 2)
        total = np.zeros(max(turn.end for turn in each.turns), np.float32)
        for turn, samples in zip(each.turns, heard, strict=True):
            assert turn.end - turn.start == len(samples)
            assert turn.text == rows[turn.id].text
            total[turn.start : turn.end] += samples * np.sqrt(first / np.mean(samples.astype(float) ** 2))
        overlaps += sum(a.end > b.start for a, b in zip(each.turns, each.turns[1:], strict=False))
        # The front end's own steps, as for the first utterance of a speaker that it has not heard.
        alone = [ExtractedUtterance(rows[each.turns[0].id], lfbe(total, recipe.frontend))]
        (wanted,) = normalise(alone, maker.prior.array(), maker.prior.level, recipe.frontend)
        np.testing.assert_allclose(each.frames, wanted.frames, atol=0.02)
        assert len(total) / rate == pytest.approx(len(each.frames) / 100, abs=0.02)
    assert overlaps > 2


def test_each_utterance_has_one_turn_of_one_slab_in_a_pass(recipe: Recipe) -> None:
    usable = {each.id for each in listed(recipe) if each.condition == CLEAN and each.text}
    for sweep in (None, 0, 1):
        found = [each for slab in range(2) for each in made(recipe, slab, sweep)]
        used = [turn.id for each in found for turn in each.turns]
        assert sorted(used) == sorted(usable)
        assert len({each.id for each in found}) == len(found)


def test_seed_slab_and_pass_decide(recipe: Recipe) -> None:
    wet = Mixtures()
    first = content(made(recipe, 0, 0, wet))
    assert first == content(made(recipe, 0, 0, wet))
    maker = conversation_maker(recipe, wet)
    maker.of_slab(SHARD, 1, 3)
    assert content(maker.of_slab(SHARD, 0, 0)) == first, "what was made before changes nothing"
    passes = [content(made(recipe, slab, sweep)) for slab in range(2) for sweep in (None, 0, 1, 2)]
    ids = [name for each in passes for name, *_ in each]
    assert len(ids) == len(set(ids))
    other = recipe.model_copy(update={"seed": 8})
    assert not {name for name, *_ in first} & {name for name, *_ in content(made(other, 0, 0, wet))}


def test_audio_is_read_of_the_slabs_own_conversations_alone(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, waveform = [], Extractor.waveform

    def watched(self: Extractor, utterance: object) -> np.ndarray:
        asked.append(utterance.id)
        return waveform(self, utterance)

    monkeypatch.setattr(Extractor, "waveform", watched)
    found = made(recipe, 0, 0)
    assert asked == [turn.id for each in found for turn in each.turns]


def test_long_conversations_are_left_out(recipe: Recipe) -> None:
    every = {each.id: each for slab in range(2) for each in made(recipe, slab, 0)}
    longest = max(len(each.frames) for each in every.values()) / 100
    short = DRY.model_copy(update={"longest_seconds": longest - 0.1})
    left = {each.id for slab in range(2) for each in made(recipe, slab, 0, short)}
    assert left == {name for name, each in every.items() if len(each.frames) / 100 <= longest - 0.1}
    assert left < set(every)


def test_audio_that_is_gone_is_named(tmp_path: Path) -> None:
    recipe = real_speech(tmp_path)
    for each in listed(recipe):
        Path(each.audio).unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r"\.flac"):
        made(recipe, 0, 0)


def test_features_of_another_manifest_are_refused(tmp_path: Path) -> None:
    recipe = real_speech(tmp_path, renamed="u0")
    with pytest.raises(ValueError, match="does not list the utterance u0, which has features; run the stage"):
        made(recipe, 0, 0)


def test_a_shard_that_is_not_there_is_named(recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="labeled/000009"):
        conversation_maker(recipe, DRY).of_slab(Shard("labeled", 9), 0, 0)


def test_groups_are_made_of_ids_alone(recipe: Recipe) -> None:
    rows = listed(recipe)
    assert [[each.id for each in group] for group in grouped(rows, (1, 3), 5)] == [
        [each.id for each in group] for group in grouped(rows[::-1], (1, 3), 5)
    ]
