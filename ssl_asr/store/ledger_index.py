"""A cache of the ledger: what a resume needs from every entry of a split, as the columns of one Parquet file.

Only the entries say what is done. For every entry the cache also holds the time and size of its file from a listing
of the folder. If they differ now, the entry is read again. The cache may be deleted at any time. It is not stored in
the ledger, because two runs with equal ledgers have different times.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ssl_asr.progress import Progress
from ssl_asr.store import filesystem
from ssl_asr.store.index_columns import PLAIN, STATISTIC, Columns
from ssl_asr.store.layout import ENTRY_SUFFIX
from ssl_asr.store.ledger import entry_of
from ssl_asr.store.listing import Listing, Numbers, file_name, list_files

# A file may change twice within a tick of its clock (a second, on some object stores) and look the same. Entries that
# are younger than this are therefore not cached.
SETTLED_NS = 2_000_000_000
# Entries between two writes of the cache, so that a long first reading may be killed without losing all. Each write
# rewrites the whole file, so a batch is at least this share of the entries that it holds.
BATCH, BATCH_SHARE = 20_000, 0.25
# Entries that are read before they become rows of a table.
HELD = 1_000
# Small files of an object store are read this many at a time.
PARALLEL_READS = 16
# Between two refreshes while others write the ledger; refreshing takes at most this share of the time.
REFRESH_SECONDS, REFRESH_SHARE = 120.0, 0.05

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LedgerIndex:
    """The finished shards of a split by ascending number, one row each: columns of `index_columns.PLAIN` or LISTS."""

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def numbers(self) -> Numbers:
        return self.column("number")

    def column(self, name: str) -> npt.NDArray[Any]:
        return self.table[name].to_numpy()

    def statistic(self, name: str) -> npt.NDArray[np.float64]:
        """[shards], NaN where an entry lacks it; one in a mapping is "conditions.clean.frames"."""
        if STATISTIC + name not in self.table.column_names:
            return np.full(len(self), np.nan)
        return self.column(STATISTIC + name)

    def statistics_below(self, prefix: str) -> list[str]:
        """Names of the statistics that begin with `prefix`."""
        names = (name.removeprefix(STATISTIC) for name in self.table.column_names if name.startswith(STATISTIC))
        return sorted(name for name in names if name.startswith(prefix))

    def mean(self, statistic: str) -> float:
        """Mean over the frames of all shards that have the statistic; 0 if none has it."""
        values, frames = self.statistic(statistic), self.column("frames")
        has = ~np.isnan(values)
        return float(values[has] @ frames[has] / max(frames[has].sum(), 1))

    def slabs(self) -> npt.NDArray[np.int32]:
        """[slabs, 3]: the shard's number, the slab's number in it, and its frames."""
        column = self.table["slabs"].combine_chunks()
        counts = pc.list_value_length(column).to_numpy()
        first = np.repeat(np.cumsum(counts) - counts, counts)
        frames = column.flatten().to_numpy()
        return np.stack([np.repeat(self.numbers, counts), np.arange(len(frames)) - first, frames], 1).astype(np.int32)

    def matrix(self, statistic: str) -> npt.NDArray[np.float64]:
        """A list statistic of all shards that have it, [shards, its length]; [0, 0] where none has."""
        if STATISTIC + statistic not in self.table.column_names:
            return np.zeros((0, 0))
        column = self.table[STATISTIC + statistic].drop_null().combine_chunks()
        assert len(pc.unique(pc.list_value_length(column))) <= 1, f"{statistic} has one length in a store"
        if not len(column):  # all that had it are gone
            return np.zeros((0, 0))
        return column.flatten().to_numpy().reshape(len(column), -1)

    def made_from(self, numbers: Numbers, parents: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """[shards]: whether there is an entry with this number whose parents have this digest."""
        at, there = _find(numbers, self.numbers)
        there[there] = self.column("parents")[at[there]] == parents[there]
        return there


def refresh_index(ledger: str, cache: str, columns: Columns = PLAIN, *, among: Numbers | None = None) -> LedgerIndex:
    """The current entries in the folder `ledger`, of these numbers if `among` is given.

    Only those are read that are not in the file `cache`.     ValueError naming an entry that is damaged.
    """
    settled = time.time_ns() - SETTLED_NS
    listing, cached = list_files(ledger, ENTRY_SUFFIX), _read_cache(cache, columns.schema)
    if among is not None:
        listing = listing[np.flatnonzero(np.isin(listing.numbers, among))]
    at, found = _find(cached["number"].to_numpy(), listing.numbers)
    for name, seen in (("mtime_ns", listing.mtimes), ("size", listing.sizes)):
        found[found] = seen[at[found]] == cached[name].to_numpy()[found]
    table = cached.filter(pa.array(found))
    unread = np.delete(np.arange(len(listing)), at[found])
    progress = Progress("reading the ledger", len(unread), "entries")
    begin = 0
    while True:
        some = listing[unread[begin : begin + max(BATCH, int(BATCH_SHARE * len(table)))]]
        if len(some):
            table = pa.concat_tables([table, _read_entries(ledger, some, columns)], promote_options="default")
            table = table.sort_by("number").combine_chunks()
        # Also where nothing is to be read: entries may have vanished.
        cached = _write_cache(cache, cached, table.filter(pc.field("mtime_ns") < settled), columns.schema)
        if len(unread) > BATCH:
            progress.advance(len(some))
        begin += len(some)
        if begin == len(unread):
            return LedgerIndex(table)


@contextmanager
def refreshing(refresh: Callable[[], object], every: float = REFRESH_SECONDS) -> Iterator[None]:
    """Calls `refresh` from time to time in its own thread, so that after a late kill few entries are left to read."""
    stop = threading.Event()
    thread = threading.Thread(target=_refresh_until, args=(stop, refresh, every), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _refresh_until(stop: threading.Event, refresh: Callable[[], object], every: float) -> None:
    took = 0.0
    while not stop.wait(max(every, took / REFRESH_SHARE)):
        began = time.monotonic()
        try:
            refresh()
        except (ValueError, OSError) as error:
            # An entry may be replaced between the listing and its reading; one that stays damaged stops the stage.
            logger.info("the ledger's index was not refreshed: %s", error)
        took = time.monotonic() - began


def _find(wanted: Numbers, numbers: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The position of each of `wanted` in the ascending `numbers`, and whether it is there."""
    at = np.searchsorted(numbers, wanted)
    there = at < len(numbers)
    there[there] = numbers[at[there]] == wanted[there]
    return at, there


def _read_entries(ledger: str, listing: Listing, columns: Columns) -> pa.Table:
    """A row for each file listed. Entries are mappings of Python, so that few are held at a time."""
    parts = (np.arange(begin, min(begin + HELD, len(listing))) for begin in range(0, len(listing), HELD))
    return pa.concat_tables((_read_some(ledger, listing[part], columns) for part in parts), promote_options="default")


def _read_some(ledger: str, listing: Listing, columns: Columns) -> pa.Table:
    uris = [filesystem.join(ledger, file_name(number, ENTRY_SUFFIX)) for number in listing.numbers.tolist()]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        # Read in many threads and taken apart in one, which is faster than many that wait for each other.
        rows = [
            columns.row(entry_of(uri, data))
            for uri, data in zip(uris, pool.map(filesystem.read_bytes, uris), strict=True)
        ]
    values = {name: [row[name] for row in rows] for name in columns.said}
    seen = {"number": listing.numbers, "mtime_ns": listing.mtimes, "size": listing.sizes}
    table = pa.table(seen | values, columns.schema)
    for name in sorted({name for row in rows for name in row}.difference(columns.schema.names)):
        table = table.append_column(name, pa.array([row.get(name) for row in rows], columns.more))
    return table


def _read_cache(uri: str, wanted: pa.Schema) -> pa.Table:
    """The content of the cache; empty if it is missing, damaged or of another version."""
    if not filesystem.exists(uri):
        return wanted.empty_table()
    try:
        data = pa.BufferReader(filesystem.read_bytes(uri))
        table = pq.ParquetFile(data, page_checksum_verification=True).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        logger.info("%s is made again: %s", uri, error)
        return wanted.empty_table()
    schema = pa.schema(list(table.schema)[: len(wanted)], table.schema.metadata)
    return table if schema.equals(wanted, check_metadata=True) else wanted.empty_table()


def _write_cache(uri: str, cached: pa.Table, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Write `table` to the file, unless it equals `cached`, the current content; returns the table."""
    if table.equals(cached):
        return cached
    buffer = io.BytesIO()
    table = table.replace_schema_metadata(schema.metadata)
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    filesystem.write_bytes(uri, buffer.getvalue())
    return table
