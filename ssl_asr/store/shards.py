"""Stores of Parquet shards, side by side in a run, joined by shard, slab and row.

`features/labeled/000003.parquet` and `alignments/<senone set>/labeled/000003.parquet` hold the same utterances
in the same rows of the same row groups. A row group is called a slab: it is the unit of reading, of shuffling and of
the training cursor.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.store import filesystem, layout
from ssl_asr.store.errors import is_unreachable
from ssl_asr.store.index_columns import LISTS, REFUSALS
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum, parents_digest, read_entry
from ssl_asr.store.ledger_index import PARALLEL_READS, LedgerIndex, refresh_index
from ssl_asr.store.listing import Numbers, delete_temporary, list_numbers
from ssl_asr.store.reading_ahead import read_ahead
from ssl_asr.store.retry import retried

SCHEMA_VERSION = "1"


def to_parquet(
    schema: pa.Schema,
    slabs: Sequence[pa.Table],
    column_encoding: Mapping[str, str] | None = None,
    unbounded: Collection[str] = (),
) -> bytes:
    """The file of a shard, one row group a slab; `ShardStore.publish` says what the columns' options are."""
    buffer = io.BytesIO()
    written: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "column_encoding": column_encoding}
    if unbounded:
        # An empty list would mean all.
        written["write_statistics"] = [name for name in schema.names if name not in unbounded] or False
    with pq.ParquetWriter(buffer, schema, **written) as writer:
        for slab in slabs:
            # A cast that changes nothing takes time.
            table = slab if slab.schema.equals(schema) else slab.cast(schema)
            writer.write_table(table, row_group_size=slab.num_rows)
    return buffer.getvalue()


@dataclass(frozen=True)
class ShardStore:
    """One store of a run: `root` is the run's directory, `name` the store's, e.g. "targets/3f2a90c1".

    `suffix` is that of its files; those of other stores than `partitions.py`'s are Parquet.
    """

    root: str
    name: str
    suffix: str = layout.SHARD_SUFFIX

    def uri(self, shard: Shard) -> str:
        return layout.shard_uri(self.root, self.name, shard.name, self.suffix)

    def ledger_uri(self, shard: Shard) -> str:
        return layout.entry_uri(self.root, self.name, shard.name)

    def entry(self, shard: Shard) -> LedgerEntry | None:
        """The shard's ledger entry; None if the shard is not finished."""
        uri = self.ledger_uri(shard)
        return read_entry(uri) if filesystem.exists(uri) else None

    def entries(self, split: str) -> list[LedgerEntry]:
        """Entries of all finished shards of `split`, by number."""
        uris = filesystem.list_files(layout.split_ledger_folder(self.root, self.name, split), layout.ENTRY_SUFFIX)
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            return list(pool.map(read_entry, uris))

    def is_done(self, shard: Shard, parents: Mapping[str, str]) -> bool:
        entry = self.entry(shard)
        return entry is not None and dict(entry.parents) == dict(parents) and filesystem.exists(self.uri(shard))

    def index(self, split: str) -> LedgerIndex:
        """Columns of all finished shards of `split`; reads only entries that are not in the cached index."""
        ledger = layout.split_ledger_folder(self.root, self.name, split)
        return refresh_index(ledger, layout.index_uri(self.root, self.name, split))

    def lists(self, split: str) -> LedgerIndex:
        """The same with the statistics that are lists, for `LedgerIndex.matrix`, and no other column."""
        ledger = layout.split_ledger_folder(self.root, self.name, split)
        return refresh_index(ledger, layout.lists_index_uri(self.root, self.name, split), LISTS)

    def refusals(self, split: str) -> LedgerIndex:
        """Shards with rejects, and what the files of these were: columns of `index_columns.REFUSALS`."""
        index = self.index(split)
        some = index.numbers[index.column("rejects") > 0]
        if not len(some):
            return LedgerIndex(REFUSALS.schema.empty_table())
        ledger = layout.split_ledger_folder(self.root, self.name, split)
        return refresh_index(ledger, layout.refusals_index_uri(self.root, self.name, split), REFUSALS, among=some)

    def splits(self) -> list[str]:
        """Those that have entries, or had some."""
        return filesystem.list_folders(layout.ledger_folder(self.root, self.name))

    def each_reject(self, split: str) -> Iterator[Reject]:
        """What finished shards of `split` left out; opens the entries of those alone that left out something."""
        index = self.index(split)
        shards = [Shard(split, number) for number in index.numbers[index.column("rejects") > 0].tolist()]
        reads = (partial(read_entry, self.ledger_uri(shard)) for shard in shards)
        for entry in read_ahead(reads, PARALLEL_READS, threads=PARALLEL_READS):
            yield from entry.rejects

    def rejects(self, split: str) -> list[Reject]:
        """All of them."""
        return list(self.each_reject(split))

    def done(self, split: str, numbers: Numbers, parents: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """[shards]: whether the shard of each number exists and was made from parents with this digest."""
        return self.index(split).made_from(numbers, parents) & self.have_files(split, numbers)

    def shards(self, split: str) -> list[Shard]:
        """All finished shards of `split`, by number."""
        return [Shard(split, number) for number in self.index(split).numbers.tolist()]

    def have_files(self, split: str, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """[shards]: whether the shard of each number has its Parquet file."""
        return np.isin(numbers, list_numbers(layout.split_folder(self.root, self.name, split), self.suffix))

    def unfinished(self, wanted: Mapping[Shard, Mapping[str, str]]) -> list[Shard]:
        """The shards of `wanted` that must still be made; `wanted` maps each shard to its parents."""
        left: set[Shard] = set()
        for split in {shard.split for shard in wanted}:
            mine = [shard for shard in wanted if shard.split == split]
            numbers = np.array([shard.number for shard in mine], np.int64)
            parents = np.array([parents_digest(wanted[shard]) for shard in mine], np.uint64)
            left.update(
                shard for shard, done in zip(mine, self.done(split, numbers, parents), strict=True) if not done
            )
        return [shard for shard in wanted if shard in left]

    def delete_temporary(self) -> int:
        """Delete the files of killed writers, here and in the ledger; returns their number."""
        folders = (layout.store_folder, layout.ledger_folder, layout.index_folder)
        return sum(delete_temporary(folder(self.root, self.name)) for folder in folders)

    def keep_only(self, split: str, shards: Collection[Shard]) -> int:
        """Delete all shards of `split` except `shards`, which are the current ones; returns the number deleted."""
        kept = {shard.number for shard in shards if shard.split == split}
        entries = list_numbers(layout.split_ledger_folder(self.root, self.name, split), layout.ENTRY_SUFFIX)
        files = list_numbers(
            layout.split_folder(self.root, self.name, split), self.suffix
        )  # some of writers killed since
        stale = [Shard(split, number) for number in sorted({*entries.tolist(), *files.tolist()} - kept)]
        for shard in stale:
            filesystem.delete(self.ledger_uri(shard))
            filesystem.delete(self.uri(shard))
        return len(stale)

    def delete(self) -> None:
        """The whole store with its ledger, the entries first, as they mark shards done."""
        for folder in (layout.ledger_folder, layout.store_folder, layout.index_folder):
            filesystem.delete(folder(self.root, self.name))

    def publish(
        self,
        shard: Shard,
        schema: pa.Schema,
        slabs: Sequence[pa.Table],
        slab_frames: Sequence[int],
        *,
        seconds: float,
        parents: Mapping[str, str],
        metadata: Mapping[str, str],
        column_encoding: Mapping[str, str] | None = None,
        unbounded: Collection[str] = (),
        statistics: Mapping[str, Any] | None = None,
        rejects: Sequence[Reject] = (),
    ) -> LedgerEntry:
        """Write the shard, one row group a slab, then its ledger entry; both atomically, in this order.

        `seconds` is the duration of the audio, not of the work: an entry depends only on its shard. A slab has at
        least one row; a shard with only rejected utterances has no slab. "bytes_per_frame" is added to the
        `statistics`. The columns `unbounded` get no least and largest value in the footer: these are long for bytes,
        and take half of the time of writing many small row groups.
        """
        assert len(slabs) == len(slab_frames), "one frame count a slab"
        assert all(slab.num_rows for slab in slabs), "Parquet keeps no empty row group"
        footer = {"ssl_asr.schema": SCHEMA_VERSION, "ssl_asr.store": self.name, **metadata}
        footer |= {f"ssl_asr.parent.{key}": value for key, value in parents.items()}
        data = to_parquet(schema.with_metadata(footer), slabs, column_encoding, unbounded)
        frames = sum(slab_frames)
        entry = LedgerEntry(
            store=self.name,
            shard=shard,
            rows=sum(slab.num_rows for slab in slabs),
            frames=frames,
            seconds=round(seconds, 3),
            slabs=tuple(slab_frames),
            checksum=checksum(data),
            parents=dict(parents),
            statistics={**(statistics or {}), "bytes_per_frame": round(len(data) / max(frames, 1), 3)},
            rejects=tuple(rejects),
        )
        self.write(entry, data)
        return entry

    def write(self, entry: LedgerEntry, data: bytes) -> None:
        """A shard's file, then its entry, both atomically."""
        # An old entry must not count for the new file if this process is killed between the two writes below.
        filesystem.delete(self.ledger_uri(entry.shard))
        filesystem.write_bytes(self.uri(entry.shard), data)
        filesystem.write_bytes(self.ledger_uri(entry.shard), entry.to_json())

    @retried
    def open(self, shard: Shard) -> pq.ParquetFile:
        """The shard for reading; ValueError naming the file if it is truncated or corrupt."""
        fs, path = filesystem.resolve(self.uri(shard))
        with self._naming(shard):
            return pq.ParquetFile(path, filesystem=fs)

    def read_slab(self, shard: Shard, slab: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One row group; ValueError as `open`."""
        with self.open(shard) as file:
            return self._read(shard, partial(file.read_row_group, slab, columns=columns))

    def read_slabs(self, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All row groups in order, one in memory at a time; ValueError as `open`."""
        with self.open(shard) as file:
            for slab in range(file.num_row_groups):
                yield self._read(shard, partial(file.read_row_group, slab, columns=columns))

    def read(self, shard: Shard, columns: Sequence[str] | None = None) -> pa.Table:
        """All row groups as one table; ValueError as `open`."""
        with self.open(shard) as file:
            return self._read(shard, partial(file.read, columns=columns))

    @retried
    def _read(self, shard: Shard, read: Callable[[], pa.Table]) -> pa.Table:
        with self._naming(shard):
            return read()

    @contextmanager
    def _naming(self, shard: Shard) -> Iterator[None]:
        uri = self.uri(shard)
        try:
            yield
        except FileNotFoundError as error:
            raise ValueError(f"{uri} is missing; run the stage that writes {self.name} again") from error
        except (pa.ArrowException, OSError) as error:
            if is_unreachable(error):
                raise  # the store is at fault, not the shard
            raise ValueError(
                f"{uri} is not a whole Parquet file ({str(error).splitlines()[0]}); "
                f"delete it and {self.ledger_uri(shard)}, then run the stage again"
            ) from error
