"""What an index of the ledger keeps of an entry: a row of plain columns, and apart from it the statistics' lists.

Lists are kept apart because few readers want them, and those of half a million entries take hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ssl_asr.store.ledger import LedgerEntry, parents_digest

# Statistic of an entry with rejects: the files that these were to be read from, each with size and time of its last
# write, -1 where there was none. It is no number and no list, and so not in the other indices.
REFUSED = "refused"

# What tells whether an entry's file is the one that was read.
_SEEN = [("number", pa.int64()), ("mtime_ns", pa.int64()), ("size", pa.int64())]
# Before the name of a statistic in the name of its column.
STATISTIC = "statistics."
_VERSION = {"ssl_asr.ledger_index": "2"}


@dataclass(frozen=True)
class Columns:
    """`row` gives values for the `schema` behind its first three columns, and for further columns of type `more`."""

    schema: pa.Schema
    more: pa.DataType
    row: Callable[[LedgerEntry], dict[str, Any]]

    @property
    def said(self) -> list[str]:
        """Names of the columns of the schema that are taken from the entry itself."""
        return list(self.schema.names[len(_SEEN) :])


def _list_of(kind: pa.DataType) -> pa.DataType:
    """As Parquet gives it back."""
    return pa.list_(pa.field("element", kind))


def _numbers(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Statistics that are numbers; those in a mapping under "<its name>.<name>"."""
    for name, value in values.items():
        if isinstance(value, int | float):
            yield prefix + name, float(value)
        elif isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}.")


def _plain_row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "parents": parents_digest(entry.parents),
        "checksum": entry.checksum,
        "rows": entry.rows,
        "frames": entry.frames,
        "seconds": entry.seconds,
        "rejects": len(entry.rejects),
        "slabs": list(entry.slabs),
        **dict(_numbers(entry.statistics, STATISTIC)),
    }


def _lists_row(entry: LedgerEntry) -> dict[str, Any]:
    return {STATISTIC + name: value for name, value in entry.statistics.items() if isinstance(value, list)}


def _refused_row(entry: LedgerEntry) -> dict[str, Any]:
    noted = entry.statistics.get(REFUSED)
    stamps = list((noted or {}).values())
    return {
        "is_noted": noted is not None,
        "files": list(noted or {}),
        "sizes": [size for size, _ in stamps],
        "times": [time for _, time in stamps],
    }


PLAIN = Columns(
    pa.schema(
        [
            *_SEEN,
            ("parents", pa.uint64()),  # their digest
            ("checksum", pa.string()),
            ("rows", pa.int64()),
            ("frames", pa.int64()),
            ("seconds", pa.float64()),
            ("rejects", pa.int64()),  # how many utterances
            ("slabs", _list_of(pa.int32())),  # frames of each
        ],
        _VERSION,
    ),
    pa.float64(),
    _plain_row,
)
LISTS = Columns(pa.schema(_SEEN, _VERSION), _list_of(pa.float64()), _lists_row)
# Of entries with rejects alone. An entry of an earlier version has noted nothing.
REFUSALS = Columns(
    pa.schema(
        [
            *_SEEN,
            ("is_noted", pa.bool_()),
            ("files", _list_of(pa.string())),
            ("sizes", _list_of(pa.int64())),
            ("times", _list_of(pa.int64())),
        ],
        _VERSION,
    ),
    pa.float64(),
    _refused_row,
)
