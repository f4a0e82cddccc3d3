"""Target shards: rows come back, other readers understand them, damage is refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_asr.store import targets, top_k_codec
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.top_k_codec import SparseTargets, TopKCodec

CODEC = TopKCodec(k=4, mass_floor=0.05)
FRAMES = (3, 0, 2)
SHARD = Shard("unlabeled", 7)


def labels() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    log_probs = -np.sort(-generator.normal(0, 2, (sum(FRAMES), 4)).astype(np.float32), axis=1)
    return generator.integers(0, 65536, log_probs.shape).astype(np.uint16), log_probs


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    store = ShardStore(str(tmp_path), targets.store_name("t-1"))
    slab = targets.encode(["x", "y", "z"], [0.5, 0.0, 0.25], FRAMES, top_k_codec.encode(*labels(), CODEC))
    store.publish(
        SHARD,
        targets.SCHEMA,
        [slab],
        [sum(FRAMES)],
        seconds=0.15,
        parents={},
        metadata=targets.codec_metadata(CODEC),
        column_encoding=targets.COLUMN_ENCODING,
    )
    return store


def test_rows_come_back_cut_at_their_ends(store: ShardStore) -> None:
    rows = targets.decode(store.read_slab(SHARD, 0))
    assert [(row.id, row.confidence) for row in rows] == [("x", 0.5), ("y", 0.0), ("z", 0.25)]
    whole = top_k_codec.decode(top_k_codec.encode(*labels(), CODEC), 4, CODEC.step)
    for row, begin, count in zip(rows, (0, 3, 3), FRAMES, strict=True):
        np.testing.assert_array_equal(row.targets.senones, whole.senones[begin : begin + count])
        np.testing.assert_array_equal(row.targets.log_probs, whole.log_probs[begin : begin + count])


def test_a_tail_can_be_taken_out_again() -> None:
    senones = np.array([[3, 9, 1], [9, 2, 0]], np.uint16)  # of nine senones
    log_probs = np.log(np.array([[0.6, 0.3, 0.1], [0.5, 0.3, 0.2]], np.float32))
    codec = TopKCodec(3)
    metadata = {key.encode(): value.encode() for key, value in targets.codec_metadata(codec, tail=9).items()}
    assert targets.codec_of(metadata) == (3, codec.step)
    assert targets.tail_of(metadata) == 9
    assert targets.tail_of({key.encode(): b"" for key in targets.codec_metadata(codec)}) is None
    kept = targets.without_tail(SparseTargets(senones, log_probs), 9)
    assert kept.senones.tolist() == [[3, 1, 0], [2, 0, 0]]
    np.testing.assert_allclose(np.exp(kept.log_probs), [[0.6, 0.1, 0], [0.3, 0.2, 0]], rtol=1e-6)


def test_small_numbers_take_one_plane_of_bytes(store: ShardStore) -> None:
    with store.open(SHARD) as file:
        columns = [file.metadata.row_group(0).column(index) for index in range(file.metadata.num_columns)]
    encodings = {column.path_in_schema: column.encodings for column in columns}
    assert all("BYTE_STREAM_SPLIT" in encodings[name] for name in targets.COLUMN_ENCODING)


def test_pandas_reads_the_first_frame_of_an_utterance(store: ShardStore) -> None:
    row = pandas.read_parquet(store.uri(SHARD)).set_index("id").loc["x"]
    first = slice(0, row.kept[0])
    assert row.senones[first].tolist() == labels()[0][0, first].tolist()
    below = row.rises[first].cumsum() * CODEC.step
    wanted = labels()[1][0, first]
    np.testing.assert_allclose(below, wanted[0] - wanted, atol=CODEC.step / 2 + 1e-6)


def test_duckdb_counts_senones_and_reads_the_footer(store: ShardStore) -> None:
    uri = store.uri(SHARD)
    counted = duckdb.sql(f"SELECT s, count(*) FROM (SELECT unnest(senones) AS s FROM '{uri}') GROUP BY s").fetchall()
    rows = targets.decode(store.read_slab(SHARD, 0))
    kept = np.concatenate([row.targets.senones[np.isfinite(row.targets.log_probs)] for row in rows])
    assert dict(counted) == dict(zip(*(each.tolist() for each in np.unique(kept, return_counts=True)), strict=True))
    ((step,),) = duckdb.sql(
        f"SELECT decode(value) FROM parquet_kv_metadata('{uri}') WHERE decode(key) = 'ssl_asr.step_nats'"
    ).fetchall()
    assert float(step) == CODEC.step


def test_what_does_not_say_how_it_is_coded_is_refused(store: ShardStore) -> None:
    with pytest.raises(ValueError, match=r"without ssl_asr\.k"):
        targets.decode(pq.read_table(store.uri(SHARD)).replace_schema_metadata(None))


@pytest.mark.parametrize(("name", "value"), [("k", "2000000000000"), ("k", "0"), ("step_nats", "nan")])
def test_a_footer_that_asks_for_the_impossible_is_refused(store: ShardStore, name: str, value: str) -> None:
    table = store.read_slab(SHARD, 0)
    forged = {**table.schema.metadata, f"ssl_asr.{name}".encode(): value.encode()}
    with pytest.raises(ValueError, match="whose footer says"):
        targets.decode(table.replace_schema_metadata(forged))


def test_frames_that_do_not_add_up_are_refused(store: ShardStore) -> None:
    table = store.read_slab(SHARD, 0)
    torn = table.set_column(1, "num_frames", pa.array([3, 0, 1], pa.int32()))
    with pytest.raises(ValueError, match="4 frames by num_frames, 5 by kept"):
        targets.decode(torn)
