"""A finished small run whose unlabeled speech has a teacher's words, and a recipe with two small transducers."""

from __future__ import annotations

import pytest

from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.recipe import Recipe, parse_recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import features, hypotheses, utterance
from ssl_asr.store.hypotheses import HypothesisRow, TimedWord
from ssl_asr.store.shards import ShardStore

SMALL = {
    "predictor": {"units": 8, "embedding": 4},
    "joiner": 8,
    "word_pieces": 12,
    "sub_epochs": 2,
    "unlabeled_passes": 1,
}
CONFIDENCES = {"two cats": 0.9, "a cat": 0.5, "cats sat": 0.2, "sat to a cat": 0.8}


def with_transducers(recipe: Recipe, **changes: object) -> Recipe:
    """`changes` are of the first, "rnnt"; the second is "conv"."""
    network = {"kind": "projected-lstm", "layers": 1, "units": 6, "projection": 5, "look_ahead": 1}
    small = {"local_channels": [2], "width": 6, "global_blocks": 1}
    conv = {"kind": "conv-rnnt", "layers": 1, "units": 6, "projection": 5, **small}
    transducers = {"rnnt": {"network": network, **SMALL, **changes}, "conv": {"network": conv, **SMALL}}
    values = recipe.model_dump(mode="json") | {"transducers": transducers, "hypotheses": {"teacher": "student"}}
    return parse_recipe(values)


def write_hypotheses(recipe: Recipe, said: dict[str, str] | None = None) -> None:
    """The true words, or those that `said` has for them; by them, their confidence."""
    heard, listed = ShardStore(recipe.run, features.STORE), ShardStore(recipe.run, utterance.STORE)
    made = hypothesis_set(recipe)
    for entry in heard.entries("unlabeled"):
        texts = {each.id: each.text for each in utterance.decode(listed.read(entry.shard))}
        tables = [
            hypotheses.encode([_row(row, texts[row.id], said or {}) for row in features.decode(slab, 64)])
            for slab in heard.read_slabs(entry.shard)
        ]
        made.store.publish(
            entry.shard, hypotheses.SCHEMA, tables, entry.slabs, seconds=entry.seconds, parents={}, metadata={}
        )
    StageClock(recipe, "hypotheses", made.id).finish(1, 0)


def _row(row: features.FeatureRow, text: str | None, said: dict[str, str]) -> HypothesisRow:
    assert text is not None
    words = said.get(text, text).split()
    found = [TimedWord(word, place, place + 1, CONFIDENCES[text]) for place, word in enumerate(words)]
    return HypothesisRow(row.id, len(row.frames) // 3, tuple(found))


@pytest.fixture
def transducer_recipe(finished_run: Recipe) -> Recipe:
    recipe = with_transducers(finished_run)
    write_hypotheses(recipe)
    return recipe
