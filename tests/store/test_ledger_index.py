"""The ledger's index gives the answers of the ledger itself, from fewer reads."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.store import features, filesystem
from ssl_asr.store.index_columns import REFUSED
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, parents_digest
from ssl_asr.store.ledger_index import SETTLED_NS
from ssl_asr.store.shards import ShardStore
from tests.s3_server import S3Server
from tests.store.conftest import SHARDS, SPLIT, index_file, left, settle, wanted
from tests.store.test_shards import feature_rows, publish


def rewrite(store: ShardStore, entry: LedgerEntry, **changes: object) -> None:
    Path(store.ledger_uri(entry.shard)).write_bytes(dataclasses.replace(entry, **changes).to_json())


def test_with_and_without_the_index_the_answer_is_the_ledgers(partly_done: ShardStore) -> None:
    by_entry = [shard.number for shard, parents in wanted().items() if not partly_done.is_done(shard, parents)]
    assert by_entry == [3, 4, 5]
    assert left(partly_done) == by_entry
    assert index_file(partly_done).exists()
    assert left(partly_done) == by_entry
    index_file(partly_done).unlink()
    assert left(partly_done) == by_entry


def test_columns_are_what_the_entries_say(partly_done: ShardStore) -> None:
    for _ in range(2):
        index, entries = partly_done.index(SPLIT), partly_done.entries(SPLIT)
        assert index.numbers.tolist() == [entry.shard.number for entry in entries]
        for name in ("checksum", "rows", "frames", "seconds"):
            assert index.column(name).tolist() == [getattr(entry, name) for entry in entries]
        frames, bytes_each = zip(*((e.frames, e.statistics["bytes_per_frame"]) for e in entries), strict=True)
        assert index.mean("bytes_per_frame") == pytest.approx(np.average(bytes_each, weights=frames))
        assert index.mean("unheard_of") == 0.0


def test_a_resume_reads_only_what_it_does_not_know(partly_done: ShardStore, reads: list[str]) -> None:
    assert left(partly_done) == [3, 4, 5]
    assert sorted(reads) == [f"{number:06d}.json" for number in range(5)]
    reads.clear()
    assert left(partly_done) == [3, 4, 5]
    assert reads == []
    publish(partly_done, [feature_rows(1)], SHARDS[5], manifest="m5")
    settle(partly_done, SHARDS[5])
    assert left(partly_done) == [3, 4]
    assert set(reads) == {"000005.json"}
    reads.clear()
    assert left(partly_done) == [3, 4]
    assert reads == []


def test_an_entry_written_anew_is_seen(partly_done: ShardStore, reads: list[str]) -> None:
    assert left(partly_done) == [3, 4, 5]
    reads.clear()
    entry = partly_done.entries(SPLIT)[2]
    reads.clear()
    rewrite(partly_done, entry, parents={"manifest": "mX"})
    assert left(partly_done) == [2, 3, 4, 5]
    assert reads == ["000002.json"]
    rewrite(partly_done, entry)
    settle(partly_done, entry.shard)
    assert left(partly_done) == [3, 4, 5]


def test_a_second_change_within_a_tick_of_the_clock_is_seen(partly_done: ShardStore) -> None:
    entry = partly_done.entries(SPLIT)[2]
    path = Path(partly_done.ledger_uri(entry.shard))
    rewrite(partly_done, entry)
    first = path.stat()
    assert left(partly_done) == [3, 4, 5]
    rewrite(partly_done, entry, parents={"manifest": "mX"})
    os.utime(path, ns=(first.st_mtime_ns, first.st_mtime_ns))
    assert path.stat().st_size == first.st_size
    assert left(partly_done) == [2, 3, 4, 5]


def test_a_lost_shard_and_a_lost_entry_are_seen(partly_done: ShardStore) -> None:
    assert left(partly_done) == [3, 4, 5]
    Path(partly_done.uri(SHARDS[0])).unlink()
    assert left(partly_done) == [0, 3, 4, 5]
    Path(partly_done.ledger_uri(SHARDS[1])).unlink()
    assert left(partly_done) == [0, 1, 3, 4, 5]
    assert partly_done.index(SPLIT).numbers.tolist() == [0, 2, 3, 4]


def test_files_of_rejects_are_known_of_the_entries_that_have_some(partly_done: ShardStore, reads: list[str]) -> None:
    rejects, said = (Reject("a", "it is gone"),), {REFUSED: {"/b.wav": [7, 8], "/a.wav": [-1, -1]}}
    for entry in partly_done.entries(SPLIT):
        statistics = {**entry.statistics, **(said if entry.shard.number == 1 else {})}
        rewrite(partly_done, entry, rejects=rejects if entry.shard.number in (1, 3) else (), statistics=statistics)
        settle(partly_done, entry.shard)
    partly_done.index(SPLIT)
    reads.clear()
    for _ in range(2):
        found = partly_done.refusals(SPLIT).table.to_pydict()
        assert (found["number"], found["is_noted"]) == ([1, 3], [True, False])
        named = (found[name][0] for name in ("files", "sizes", "times"))
        assert {*zip(*named, strict=True)} == {("/b.wav", 7, 8), ("/a.wav", -1, -1)}
        assert sorted(reads) == ["000001.json", "000003.json"]  # once


def test_an_object_store_is_asked_for_two_folders_the_index_and_what_is_new(s3: S3Server) -> None:
    store = ShardStore(s3.create_bucket("ledger-index"), features.STORE)
    for shard in SHARDS[:5]:
        publish(store, [feature_rows(1)], shard, manifest=f"m{shard.number}")
    time.sleep(SETTLED_NS / 1e9 + 1)  # an object's time is in whole seconds
    assert left(store) == [5]
    s3.requests.clear()
    assert left(store) == [5]
    assert len([request for request in s3.requests if "list-type=2" in request]) == 2
    assert [request for request in s3.requests if ".json" in request] == []
    publish(store, [feature_rows(1)], SHARDS[5], manifest="m5")
    filesystem.delete(store.uri(SHARDS[0]))
    s3.requests.clear()
    assert left(store) == [0]
    assert {request.split("/")[-1] for request in s3.requests if ".json" in request} == {"000005.json"}


def test_shards_of_several_splits_come_in_the_order_asked(partly_done: ShardStore) -> None:
    publish(partly_done, [feature_rows(1)], Shard("dev", 9), manifest="d")
    asked = {SHARDS[5]: {"manifest": "m5"}, Shard("dev", 9): {"manifest": "d"}, SHARDS[3]: {}, Shard("test", 0): {}}
    assert partly_done.unfinished(asked) == [SHARDS[5], SHARDS[3], Shard("test", 0)]
    assert partly_done.unfinished({}) == []


def test_a_digest_tells_mappings_apart_and_not_their_order() -> None:
    assert parents_digest({"a": "b", "c": "d"}) == parents_digest({"c": "d", "a": "b"})
    different = [{}, {"a": "b"}, {"b": "a"}, {"a": "b", "c": ""}, {"a": 'b", "c'}, {"a": "b, c"}]
    assert len({parents_digest(each) for each in different}) == len(different)
