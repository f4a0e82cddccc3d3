"""What a run has rejected: all of it, once, without holding it; dev and test first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ssl_asr.corpus.shuffle import PIECE_SCHEMA, buckets_store, pieces_store
from ssl_asr.recipe import Recipe
from ssl_asr.report.rejects import count_rejects, each_reject
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import alignments, features
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, read_entry
from ssl_asr.store.shards import ShardStore
from tests.report.example_run import example_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return example_recipe(tmp_path)


def publish(store: ShardStore, shard: Shard, rejects: Sequence[Reject]) -> None:
    store.publish(shard, PIECE_SCHEMA, [], [], seconds=1, parents={}, metadata={}, rejects=rejects)


def told(recipe: Recipe, most: int | None = None) -> list[tuple[str, str]]:
    return [(stage, reject.id) for stage, reject in each_reject(recipe, most)]


def some(split: str, count: int) -> list[Reject]:
    return [Reject(f"{split}-{number}", "NaN") for number in range(count)]


def test_shards_that_could_not_be_made_are_listed(recipe: Recipe) -> None:
    reject = Reject("unlabeled/000003", "not a whole Parquet file")
    StageClock(recipe, "labelling", "key").finish(10, 0, [reject])
    assert list(each_reject(recipe)) == [("labelling", reject)]


def test_rejects_of_lists_and_of_ledgers_once_each(recipe: Recipe) -> None:
    publish(ShardStore(recipe.run, features.STORE), Shard("dev", 0), [Reject("b", "NaN"), Reject("a", "empty")])
    StageClock(recipe, "frontend", "key").finish(1, 0, [Reject("a", "empty"), Reject("dev/000001", "damaged")])
    StageClock(recipe, "corpus", "key").finish(1, 0, [Reject("z", "missing")])  # of an earlier version
    both = [Reject("x", "no path")]
    for name in ("one", "two"):
        publish(ShardStore(recipe.run, alignments.store_name(name)), Shard("labeled", 0), both)
    assert told(recipe) == [
        ("corpus", "z"),
        ("frontend", "b"),
        ("frontend", "a"),
        ("frontend", "dev/000001"),
        ("hmm", "x"),
    ]


def test_all_of_the_corpus_are_told_whatever_its_list_has(recipe: Recipe) -> None:
    pieces, buckets = pieces_store(recipe.run), buckets_store(recipe.run)
    publish(pieces, Shard("unlabeled", 0), some("u", 4))
    publish(pieces, Shard("test", 0), some("t", 2))
    publish(buckets, Shard("test", 0), [Reject("again", "used before")])
    assert count_rejects(recipe) == 7  # while the stage is at work
    StageClock(recipe, "corpus", "key").finish(1, 0, [Reject("test/t-0", "NaN")], rejected=7)
    test = ["test/t-0", "test/t-1", "test/again"]
    assert told(recipe) == [("corpus", name) for name in (*test, *(f"unlabeled/u-{number}" for number in range(4)))]
    assert count_rejects(recipe) == 7
    few = ["test/t-0", "test/t-1", "unlabeled/u-0", "unlabeled/u-1"]
    assert told(recipe, 2) == [("corpus", name) for name in few]


def test_entries_are_opened_as_they_are_told(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ShardStore(recipe.run, features.STORE)
    for number in range(50):
        publish(store, Shard("unlabeled", number), some(f"{number}", 2))
    assert count_rejects(recipe) == 100  # of the index
    opened = list[str]()

    def reading(uri: str) -> LedgerEntry:
        opened.append(uri)
        return read_entry(uri)

    monkeypatch.setattr("ssl_asr.store.shards.read_entry", reading)
    assert len(told(recipe, 3)) == 3
    assert 2 <= len(opened) < 40
    assert len(told(recipe)) == 100
