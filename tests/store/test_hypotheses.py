"""Shards of hypotheses: rows come back, other readers understand them, damage is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ssl_asr.store import hypotheses
from ssl_asr.store.hypotheses import SCHEMA, HypothesisRow, TimedWord, decode, encode, read_hypotheses
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

SHARD = Shard("unlabeled", 7)
ROWS = [
    HypothesisRow("x", 40, (TimedWord("how", 2, 12, 0.9), TimedWord("could", 12, 20, 0.5), TimedWord("you", 25, 37))),
    HypothesisRow("x@room", 0),
    HypothesisRow("y", 30, (TimedWord("well"),)),
]


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    store = ShardStore(str(tmp_path), hypotheses.store_name("t-1"))
    tables = [encode(ROWS[:2]), encode(ROWS[2:])]
    store.publish(SHARD, SCHEMA, tables, [40, 30], seconds=2.1, parents={}, metadata={})
    return store


def test_rows_come_back_slab_by_slab(store: ShardStore) -> None:
    assert read_hypotheses(store.root, "t-1", SHARD, 0) == ROWS[:2]
    assert read_hypotheses(store.root, "t-1", SHARD, 1) == ROWS[2:]
    assert store.uri(SHARD) == f"{store.root}/pseudo-labels/t-1/unlabeled/000007.parquet"


def test_confidence_counts_words_by_their_frames(store: ShardStore) -> None:
    """A word without a posterior is left out; without one that has one, nothing is known."""
    assert [row.confidence for row in ROWS] == [round((10 * 0.9 + 8 * 0.5) / 18, 4), None, None]


def test_other_readers_see_plain_lists(store: ShardStore) -> None:
    found = duckdb.sql(
        f"SELECT id, text, confidence, words[2], ends[2] - starts[2], posteriors FROM '{store.uri(SHARD)}' "
        "WHERE len(words) > 1"
    ).fetchall()
    ((name, text, confidence, word, frames, posteriors),) = found
    assert (name, text, word, frames) == ("x", "how could you", "could", 8)
    assert confidence == pytest.approx(0.7222)
    assert posteriors == [pytest.approx(0.9), 0.5, None]


FRAMES = 50
SPANS = some.tuples(some.integers(0, FRAMES), some.integers(0, FRAMES)).map(lambda ends: tuple(sorted(ends)))
WORDS = some.builds(
    lambda word, span, posterior: TimedWord(word, *span, posterior and round(posterior, 4)),
    some.text("abé'", min_size=1, max_size=3),
    SPANS | some.just((None, None)),
    some.none() | some.floats(0, 1),
)
UTTERANCES = some.builds(
    HypothesisRow, some.text(min_size=1, max_size=5), some.just(FRAMES), some.lists(WORDS, max_size=4).map(tuple)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.lists(UTTERANCES, max_size=3))
def test_any_row_comes_back(made: list[HypothesisRow]) -> None:
    table = encode(made)
    assert table.schema == SCHEMA
    assert decode(table) == made
    for row, stored in zip(made, table["confidence"].to_pylist(), strict=True):
        assert row.confidence is None or 0 <= row.confidence <= 1
        assert stored == (None if row.confidence is None else pytest.approx(row.confidence))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": "how could"}, "the text of 'x' is not that of its words"),
        ({"starts": [1, 2]}, "the lists of 'x' have not the same length"),
        ({"posteriors": None}, "the lists of 'x' have not the same length"),
        ({"ends": [12, 20, 41]}, "words of 'x' are not within its 40 frames"),
        ({"starts": [13, 12, 25]}, "words of 'x' are not within its 40 frames"),
        ({"ends": [None, 20, 37]}, "words of 'x' are not within its 40 frames"),
    ],
)
def test_columns_that_contradict_each_other_are_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    damaged = pa.Table.from_pylist([{**encode(ROWS[:1]).to_pylist()[0], **change}], schema=SCHEMA)
    store = ShardStore(str(tmp_path), hypotheses.store_name("t-1"))
    store.publish(SHARD, SCHEMA, [damaged], [40], seconds=1, parents={}, metadata={})
    with pytest.raises(ValueError, match=rf"000007\.parquet: {said}; delete it and run the hypotheses stage again"):
        read_hypotheses(store.root, "t-1", SHARD, 0)


def test_a_posterior_is_kept_to_four_digits() -> None:
    (row,) = decode(encode([replace(ROWS[0], words=(TimedWord("how", 2, 12, 0.123456),))]))
    assert row.words[0].posterior == 0.1235
