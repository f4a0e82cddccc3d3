"""Ids that are used more than once in a split, found across all pieces of its source.

Every piece leaves the hashes of its ids, partitioned by hash. Equal ids meet in one partition, whatever the size of
the corpus. The first use counts: that in the piece of the lowest number. Two of a billion ids have the same 128 bits
with a probability of 1e-21.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

AGAIN = "this id was used before; ids must be unique in a split"
USED_AGAIN = "used_again"  # statistic of a piece: how many of its rejects have an id that it has used before
HASH = np.dtype([("low", "<u8"), ("high", "<u8")])
# Of an id: its hash, and the bucket of its speaker.
ID_SCHEMA = pa.schema([("id", pa.binary(16)), ("bucket", pa.int32())])
# Of a later use: the same, and the piece that it is in.
LATER_SCHEMA = pa.schema([("id", pa.binary(16)), ("bucket", pa.int32()), ("piece", pa.int64())])


def id_hashes(ids: Sequence[str]) -> list[bytes]:
    """16 bytes each."""
    return [hashlib.blake2b(each.encode(), digest_size=16).digest() for each in ids]


def id_table(ids: Sequence[str], buckets: npt.NDArray[np.int64]) -> pa.Table:
    """What a piece leaves of its ids."""
    return pa.table({"id": id_hashes(ids), "bucket": buckets}, ID_SCHEMA)


def partitions_of(table: pa.Table, count: int) -> npt.NDArray[np.int64]:
    """[rows]: the partition of each id of an `id_table`."""
    return (_hashes(table)["low"] % count).astype(np.int64)


def later_uses(tables: Sequence[pa.Table], pieces: Sequence[int]) -> pa.Table:
    """The ids of one partition of all pieces that an earlier piece has too; `pieces` are their ascending numbers.

    An id is used once at most in a piece.
    """
    whole = pa.concat_tables(tables) if tables else ID_SCHEMA.empty_table()
    piece = np.repeat(np.array(pieces, np.int64), [table.num_rows for table in tables])
    hashes = _hashes(whole)
    order = np.lexsort((piece, hashes["high"], hashes["low"]))
    again = hashes[order][1:] == hashes[order][:-1]
    later = np.sort(order[1:][again])
    return whole.take(pa.array(later)).append_column("piece", pa.array(piece[later])).cast(LATER_SCHEMA)


def _hashes(table: pa.Table) -> npt.NDArray[np.void]:
    column = table["id"].combine_chunks()
    data = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return data[16 * column.offset : 16 * (column.offset + len(column))].view(HASH)
