"""A run whose speakers have voices: each a spectrum of its own, from which single frames scatter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssl_asr.frontend.statistics import sums_of
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance
from tests.pinned import PINNED

REGIONS = ("north", "south")


def frames_of(speaker: str, part: int, frames: int = 75) -> np.ndarray:
    """[10 ms frames, 64]; a speaker's number decides the region, and the south scatters more."""
    number = int(speaker.rpartition(" ")[2])
    voice = np.random.default_rng(number).normal(size=64)
    noise = np.random.default_rng([number, part]).normal(size=(frames, 64))
    return voice + (1.0 if number % 2 == 0 else 3.0) * noise


def said_by(speaker: str, count: int, split: str) -> list[Utterance]:
    """Their audio is not there."""
    region = REGIONS[int(speaker.rpartition(" ")[2]) % 2]
    tags = {"region": region, "accent": region, "language": "en"}
    return [
        Utterance(f"{split}-{speaker.replace(' ', '')}-{part}", "none.wav", speaker, part, 0.75, text="so", tags=tags)
        for part in range(count)
    ]


def publish(run: str, shard: Shard, utterances: Sequence[Utterance]) -> None:
    rows = [
        features.FeatureRow(each.id, each.speaker, each.condition, frames_of(each.speaker, each.order))
        for each in utterances
    ]
    heard = features.encode(rows)
    sums = sums_of((row.frames for row in features.decode(heard, 64)), 64).to_statistics()
    for name, schema, table, statistics in (
        (utterance.STORE, utterance.SCHEMA, utterance.encode(utterances), {}),
        (features.STORE, features.SCHEMA, heard, sums),
    ):
        ShardStore(run, name).publish(
            shard, schema, [table], [75 * len(rows)], seconds=1.0, parents={}, metadata={}, statistics=statistics
        )


def made_up_run(folder: Path, *, trained: int = 6, tested: int = 12, utterances: int = 6) -> Recipe:
    """Speakers 0 to `trained` are labeled, in two shards, others are tested; one more of both has one utterance."""
    recipe = load_recipe("demo", [f"run={folder}", *PINNED, "evaluate.bootstrap=100"])
    for half in range(2):
        speakers = [f"person {number}" for number in range(half, trained, 2)]
        labeled = [each for name in speakers for each in said_by(name, utterances, "labeled")]
        publish(recipe.run, Shard("labeled", half), labeled + said_by(f"person {90 + half}", 1, "labeled"))
    speakers = [f"person {number}" for number in range(100, 100 + tested)]
    test = [each for name in speakers for each in said_by(name, utterances, "test")]
    publish(recipe.run, Shard("test", 0), test + said_by("person 0", 3, "test") + said_by("person 98", 1, "test"))
    save_recipe(recipe)
    return recipe
