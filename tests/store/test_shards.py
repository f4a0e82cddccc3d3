"""The shard store: round trip, damage, atomic publication, and what counts as done."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_asr.store import features, filesystem
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore, to_parquet

BINS = 4
SHARD = Shard("labeled", 7)


def feature_rows(count: int, seed: int = 0) -> list[FeatureRow]:
    generator = np.random.default_rng(seed)
    return [
        FeatureRow(f"u{index}", "ada", "clean", generator.standard_normal((3 + index, BINS)).astype(np.float16))
        for index in range(count)
    ]


def publish(store: ShardStore, slabs: list[list[FeatureRow]], shard: Shard = SHARD, **parents: str) -> LedgerEntry:
    counts = [sum(len(row.frames) for row in slab) for slab in slabs]
    return store.publish(
        shard,
        features.SCHEMA,
        [features.encode(slab) for slab in slabs],
        counts,
        seconds=sum(counts) * 0.01,
        parents=parents or {"manifest": "abc"},
        metadata={"mel_bins": str(BINS)},
        statistics={"count": 3},
        rejects=[Reject("bad", "too short")],
    )


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(str(tmp_path), features.STORE)


def test_a_shard_reads_back_slab_by_slab_as_it_was_written(store: ShardStore) -> None:
    rows = feature_rows(5)
    entry = publish(store, [rows[:2], rows[2:]])
    assert entry == store.entry(SHARD)
    assert entry.slabs == (3 + 4, 5 + 6 + 7)
    assert (entry.rows, entry.frames) == (5, 25)
    assert entry.rejects == (Reject("bad", "too short"),)
    second = features.decode(store.read_slab(SHARD, 1), BINS)
    assert [row.id for row in second] == ["u2", "u3", "u4"]
    for row, written in zip(second, rows[2:], strict=True):
        np.testing.assert_array_equal(row.frames, written.frames)
    whole = [row.id for slab in store.read_slabs(SHARD) for row in features.decode(slab, BINS)]
    assert whole == [row.id for row in rows]


def test_reading_makes_no_copy_of_the_frames(store: ShardStore) -> None:
    publish(store, [feature_rows(3)])
    table = store.read_slab(SHARD, 0)
    frames = features.decode(table, BINS)[2].frames
    buffer = table["features"].chunk(0).buffers()[2]
    assert buffer.address <= frames.ctypes.data < buffer.address + buffer.size


def test_the_footer_says_what_the_shard_is_and_was_made_from(store: ShardStore) -> None:
    publish(store, [feature_rows(1)], manifest="abc", recipe="def")
    metadata = store.open(SHARD).schema_arrow.metadata
    assert metadata[b"ssl_asr.store"] == b"features"
    assert metadata[b"ssl_asr.parent.recipe"] == b"def"
    assert metadata[b"mel_bins"] == b"4"


def test_the_same_content_gives_the_same_bytes(store: ShardStore, tmp_path: Path) -> None:
    other = ShardStore(str(tmp_path / "elsewhere"), features.STORE)
    first, second = publish(store, [feature_rows(3)]), publish(other, [feature_rows(3)])
    assert first.to_json() == second.to_json()
    assert Path(store.uri(SHARD)).read_bytes() == Path(other.uri(SHARD)).read_bytes()
    assert publish(other, [feature_rows(3, seed=1)]).checksum != first.checksum


def test_a_shard_of_rejects_alone_has_no_slab(store: ShardStore) -> None:
    entry = publish(store, [])
    assert (entry.rows, entry.frames, entry.slabs) == (0, 0, ())
    assert store.open(SHARD).num_row_groups == 0
    assert list(store.read_slabs(SHARD)) == []
    assert store.is_done(SHARD, {"manifest": "abc"})


def test_an_utterance_without_frames_keeps_its_row(store: ShardStore) -> None:
    empty = FeatureRow("silent", "ada", "clean", np.zeros((0, BINS), np.float16))
    publish(store, [[empty, *feature_rows(1)], [empty]])
    assert [row.frames.shape for row in features.decode(store.read_slab(SHARD, 0), BINS)] == [(0, BINS), (3, BINS)]
    assert features.decode(store.read_slab(SHARD, 1), BINS)[0].frames.shape == (0, BINS)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_shard_cut_short_is_refused_in_one_sentence(store: ShardStore, keep: float) -> None:
    publish(store, [feature_rows(50)])
    path = Path(store.uri(SHARD))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(ValueError, match=r"not a whole Parquet file.*delete it and .*run the stage again") as caught:
        list(store.read_slabs(SHARD))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_shard_with_damaged_pages_is_refused_by_name(store: ShardStore) -> None:
    publish(store, [feature_rows(50)])
    path = Path(store.uri(SHARD))
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 2] = bytes(len(data) // 2 - 4)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=str(path)):
        store.read_slab(SHARD, 0)


def test_a_missing_shard_names_its_file(store: ShardStore) -> None:
    with pytest.raises(ValueError, match=r"000007\.parquet is missing; run the stage"):
        store.open(SHARD)


def test_a_frame_count_that_does_not_fit_the_bytes_is_refused(store: ShardStore) -> None:
    publish(store, [feature_rows(1)])
    with pytest.raises(ValueError, match="not a whole number of frames"):
        features.decode(store.read_slab(SHARD, 0), BINS + 1)


def test_done_means_same_parents_and_a_shard_that_is_there(store: ShardStore) -> None:
    assert not store.is_done(SHARD, {"manifest": "abc"})
    publish(store, [feature_rows(1)], manifest="abc")
    assert store.is_done(SHARD, {"manifest": "abc"})
    assert not store.is_done(SHARD, {"manifest": "changed"})
    assert not store.is_done(SHARD, {"manifest": "abc", "teacher": "new"})
    Path(store.uri(SHARD)).unlink()
    assert not store.is_done(SHARD, {"manifest": "abc"})


def test_unfinished_lists_what_is_missing_or_stale_in_order(store: ShardStore) -> None:
    shards = [Shard("labeled", number) for number in range(4)]
    publish(store, [feature_rows(1)], shards[1], manifest="m1")
    publish(store, [feature_rows(1)], shards[2], manifest="old")
    wanted = {shard: {"manifest": f"m{shard.number}"} for shard in shards}
    assert store.unfinished(wanted) == [shards[0], shards[2], shards[3]]


def test_killed_before_the_ledger_entry_the_shard_is_not_done(
    store: ShardStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = filesystem.write_bytes

    def killed_at_the_ledger(uri: str, data: bytes) -> None:
        if uri.endswith(".json"):
            raise KeyboardInterrupt
        write(uri, data)

    monkeypatch.setattr(filesystem, "write_bytes", killed_at_the_ledger)
    with pytest.raises(KeyboardInterrupt):
        publish(store, [feature_rows(1)])
    assert Path(store.uri(SHARD)).exists()
    assert store.entry(SHARD) is None
    assert store.entries("labeled") == []


def test_entries_come_by_number_and_by_split(store: ShardStore) -> None:
    for split, number in [("labeled", 11), ("labeled", 2), ("unlabeled", 0)]:
        publish(store, [feature_rows(1)], Shard(split, number))
    assert [entry.shard.number for entry in store.entries("labeled")] == [2, 11]
    assert [entry.shard.number for entry in store.entries("unlabeled")] == [0]
    assert store.entries("dev") == []


def test_keep_only_removes_shards_that_the_run_no_longer_has(store: ShardStore) -> None:
    for number in range(3):
        publish(store, [feature_rows(1)], Shard("labeled", number))
    publish(store, [feature_rows(1)], Shard("dev", 9))
    assert store.keep_only("labeled", {Shard("labeled", 1)}) == 2
    assert [entry.shard.number for entry in store.entries("labeled")] == [1]
    assert not Path(store.uri(Shard("labeled", 0))).exists()
    assert len(store.entries("dev")) == 1


def test_a_damaged_ledger_entry_is_refused_by_name(store: ShardStore) -> None:
    publish(store, [feature_rows(1)])
    path = Path(store.ledger_uri(SHARD))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"000007\.json is not a whole ledger entry.*delete it"):
        store.entry(SHARD)


def test_bytes_per_frame_is_that_of_the_file(store: ShardStore) -> None:
    entry = publish(store, [feature_rows(30)])
    size = Path(store.uri(SHARD)).stat().st_size
    assert entry.statistics["bytes_per_frame"] == pytest.approx(size / entry.frames, abs=1e-3)
    assert entry.statistics["count"] == 3


def test_an_empty_slab_is_a_mistake_of_the_caller(store: ShardStore) -> None:
    with pytest.raises(AssertionError, match="empty row group"):
        publish(store, [[]])


def test_a_parquet_reader_of_others_sees_one_row_group_a_slab(store: ShardStore) -> None:
    publish(store, [feature_rows(2), feature_rows(3)])
    file = pq.ParquetFile(store.uri(SHARD))
    assert [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)] == [2, 3]
    assert file.schema_arrow.field("features").type == pa.large_binary()


def test_columns_without_bounds_have_no_statistics() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    for unbounded, bounded in (((), [True, True]), (("b",), [True, False]), (("a", "b"), [False, False])):
        file = pq.ParquetFile(io.BytesIO(to_parquet(table.schema, [table], unbounded=unbounded)))
        group = file.metadata.row_group(0)
        assert [group.column(place).statistics is not None for place in range(2)] == bounded
        assert file.read() == table
