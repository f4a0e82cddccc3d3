"""Stores of tables that are cut into the same number of partitions: what one half of a shuffle leaves to the other.

A table is one Arrow IPC file, and a partition one record batch of it, empty or not. A reader takes one partition of
every file by a few ranged reads: of the footer, 24 bytes a partition, and of the batch. Parquet's footer says more of
every row group than such a partition holds. `ShardStore` does the rest: names, the ledger and what is finished.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ssl_asr.store import filesystem, layout
from ssl_asr.store.errors import is_unreachable
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.retry import retried
from ssl_asr.store.shards import ShardStore

# Statistics: how many rows each partition has, and what tells its rows from others.
ROWS, DIGESTS = "partition_rows", "partition_digests"
_DIGEST_BITS = 52  # which a double holds: indices of the ledger have no other numbers


def partition_store(run: str, name: str) -> ShardStore:
    return ShardStore(run, name, layout.PARTITIONS_SUFFIX)


def publish_partitions(
    store: ShardStore,
    shard: Shard,
    table: pa.Table,
    partitions: npt.NDArray[np.int64],
    *,
    count: int,
    parents: Mapping[str, str],
    statistics: Mapping[str, Any] | None = None,
    seconds: float = 0.0,
    rejects: Sequence[Reject] = (),
) -> LedgerEntry:
    """Write `table` in `count` partitions; `partitions` [rows] says which each row is in. Rows keep their order."""
    order = np.argsort(partitions, kind="stable")
    rows = np.bincount(partitions, minlength=count)
    assert len(rows) == count, "there are as many partitions as the caller says"
    data, edges = _to_ipc(table.take(pa.array(order)).combine_chunks(), rows.tolist())
    entry = LedgerEntry(
        store=store.name,
        shard=shard,
        rows=table.num_rows,
        frames=0,
        seconds=round(seconds, 3),
        slabs=(),
        checksum=checksum(data),
        parents=dict(parents),
        statistics={
            **(statistics or {}),
            ROWS: rows.tolist(),
            DIGESTS: [_digest(data[begin:end]) for begin, end in itertools.pairwise(edges)],
        },
        rejects=tuple(rejects),
    )
    store.write(entry, data)
    return entry


def _to_ipc(table: pa.Table, sizes: Sequence[int]) -> tuple[bytes, list[int]]:
    """The file of batches of these sizes, and where each begins and the last ends in it."""
    sink, edges, at = pa.BufferOutputStream(), list[int](), 0
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for size in sizes:
            edges.append(sink.tell())
            writer.write_batch(_batch(table.slice(at, size)))
            at += size
        edges.append(sink.tell())
    return sink.getvalue().to_pybytes(), edges


@retried
def read_partition(store: ShardStore, shard: Shard, partition: int) -> pa.Table:
    """ValueError naming the file if it is missing or damaged."""
    uri = store.uri(shard)
    fs, path = filesystem.resolve(uri)
    try:
        with fs.open_input_file(path) as file, pa.ipc.open_file(file) as reader:
            return pa.Table.from_batches([reader.get_batch(partition)])
    except (pa.ArrowException, OSError) as error:
        if is_unreachable(error):
            raise
        raise ValueError(f"{uri} is missing or damaged; delete it and run the stage again") from error


def read_partitions(store: ShardStore, split: str, numbers: Sequence[int], partition: int) -> list[pa.Table]:
    """The same partition of the files of these numbers."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return list(pool.map(lambda number: read_partition(store, Shard(split, number), partition), numbers))


@dataclass(frozen=True, eq=False)
class Partitions:
    """What the ledger says of all files of a split: their `numbers`, ascending, and of each [files, partitions]."""

    numbers: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    digests: npt.NDArray[np.int64]

    @classmethod
    def of(cls, store: ShardStore, split: str) -> Partitions:
        index = store.lists(split)
        rows, digests = (index.matrix(name).astype(np.int64) for name in (ROWS, DIGESTS))
        return cls(index.numbers, rows, digests)

    def files(self, partition: int) -> list[int]:
        """Numbers of the files that have rows of this partition."""
        return self.numbers[self.rows[:, partition] > 0].tolist() if len(self.rows) else []

    def digest(self, partition: int) -> str:
        """Of the rows of this partition in all files, in the files' order."""
        mine = self.digests[self.rows[:, partition] > 0, partition].tolist() if len(self.rows) else []
        return checksum("\n".join(map(str, mine)).encode())


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") >> (64 - _DIGEST_BITS)


def _batch(table: pa.Table) -> pa.RecordBatch:
    if not table.num_rows:
        return pa.RecordBatch.from_pylist([], schema=table.schema)
    (batch,) = table.to_batches()
    return batch
