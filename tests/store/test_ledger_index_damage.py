"""The ledger's index after damage and kills: it is made anew, or goes on, and nothing is left lying about."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_asr.store import ledger_index
from ssl_asr.store.ledger_index import refreshing
from ssl_asr.store.shards import ShardStore
from tests.store.conftest import SHARDS, SPLIT, index_file, left


def of_another_version(data: bytes) -> bytes:
    table = pq.read_table(pa.BufferReader(data))
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({"ssl_asr.ledger_index": "0"}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"PAR1" + bytes(len(data) // 2) + data[len(data) // 2 + 4 :],
        lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:],
        of_another_version,
    ],
)
def test_a_damaged_index_is_made_anew_in_silence(
    partly_done: ShardStore, damage: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    assert left(partly_done) == [3, 4, 5]
    whole = index_file(partly_done).read_bytes()
    index_file(partly_done).write_bytes(damage(whole))
    assert left(partly_done) == [3, 4, 5]
    assert index_file(partly_done).read_bytes() == whole
    assert capfd.readouterr() == ("", "")


def test_killed_while_writing_the_index_nothing_is_left(
    partly_done: ShardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            left(partly_done)
    assert not index_file(partly_done).exists()
    assert len(list(index_file(partly_done).parent.iterdir())) == 1
    assert partly_done.delete_temporary() == 1
    assert list(index_file(partly_done).parent.iterdir()) == []
    assert left(partly_done) == [3, 4, 5]


def test_killed_in_a_long_first_reading_the_batches_read_are_kept(
    partly_done: ShardStore, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_index, "BATCH", 2)
    whole = Path(partly_done.ledger_uri(SHARDS[4])).read_bytes()
    Path(partly_done.ledger_uri(SHARDS[4])).write_bytes(whole[:40])
    with pytest.raises(ValueError, match=r"000004\.json is not a whole ledger entry.*delete it"):
        left(partly_done)
    reads.clear()
    Path(partly_done.ledger_uri(SHARDS[4])).write_bytes(whole)
    assert left(partly_done) == [3, 4, 5]
    assert reads == ["000004.json"]


def test_while_others_work_the_index_is_refreshed_and_damage_is_left_to_the_stage(partly_done: ShardStore) -> None:
    looks, seen = [], threading.Event()

    def look() -> None:
        looks.append(partly_done.index(SPLIT))
        if len(looks) > 1:
            seen.set()
        raise ValueError("damaged")

    with refreshing(look, every=0.01):
        assert seen.wait(30)
    assert index_file(partly_done).exists()
    assert not [thread for thread in threading.enumerate() if "_refresh_until" in thread.name]
