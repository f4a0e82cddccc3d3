"""Stores of Parquet shards, side by side in a run, joined by shard, slab and row.

`features/labeled/000003.parquet` and `alignments/<senone set>/labeled/000003.parquet` hold the same utterances
in the same rows of the same row groups. A row group is a slab: the unit of reading, shuffling and of the
training cursor.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.store import filesystem
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum

SCHEMA_VERSION = "1"


@dataclass(frozen=True)
class ShardStore:
    """One store of a run: `root` is the run's directory, `name` the store's, e.g. "targets/3f2a90c1"."""

    root: str
    name: str

    def uri(self, shard: Shard) -> str:
        return filesystem.join(self.root, self.name, f"{shard.name}.parquet")

    def ledger_uri(self, shard: Shard) -> str:
        return filesystem.join(self.root, "ledger", self.name, f"{shard.name}.json")

    def entry(self, shard: Shard) -> LedgerEntry | None:
        """The shard's ledger entry, or None where it is not finished."""
        uri = self.ledger_uri(shard)
        return LedgerEntry.from_json(filesystem.read_bytes(uri)) if filesystem.exists(uri) else None

    def entries(self, split: str) -> list[LedgerEntry]:
        """Entries of all finished shards of `split`, by number."""
        below = filesystem.join(self.root, "ledger", self.name, split)
        return [LedgerEntry.from_json(filesystem.read_bytes(uri)) for uri in filesystem.list_files(below, ".json")]

    def is_done(self, shard: Shard, parents: Mapping[str, str]) -> bool:
        entry = self.entry(shard)
        return entry is not None and dict(entry.parents) == dict(parents) and filesystem.exists(self.uri(shard))

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
        statistics: Mapping[str, Any] | None = None,
        rejects: Sequence[Reject] = (),
    ) -> LedgerEntry:
        """Write the shard, one row group a slab, then its ledger entry; both atomically, in this order.

        Slabs hold at least one row each; a shard whose every utterance was rejected has no slab at all.
        """
        assert len(slabs) == len(slab_frames), "one frame count a slab"
        assert all(slab.num_rows for slab in slabs), "Parquet keeps no empty row group"
        footer = {"ssl_asr.schema": SCHEMA_VERSION, "ssl_asr.store": self.name, **metadata}
        footer |= {f"ssl_asr.parent.{key}": value for key, value in parents.items()}
        schema = schema.with_metadata(footer)
        buffer = io.BytesIO()
        with pq.ParquetWriter(buffer, schema, compression="zstd", use_dictionary=False) as writer:
            for slab in slabs:
                writer.write_table(slab.cast(schema), row_group_size=slab.num_rows)
        data = buffer.getvalue()
        filesystem.write_bytes(self.uri(shard), data)
        entry = LedgerEntry(
            store=self.name,
            shard=shard,
            rows=sum(slab.num_rows for slab in slabs),
            frames=sum(slab_frames),
            seconds=round(seconds, 3),
            slabs=tuple(slab_frames),
            checksum=checksum(data),
            parents=dict(parents),
            statistics=dict(statistics or {}),
            rejects=tuple(rejects),
        )
        filesystem.write_bytes(self.ledger_uri(shard), entry.to_json())
        return entry

    def open(self, shard: Shard) -> pq.ParquetFile:
        """The shard for reading; ValueError naming the file where it is cut short or corrupt."""
        uri = self.uri(shard)
        fs, path = filesystem.resolve(uri)
        try:
            return pq.ParquetFile(path, filesystem=fs)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(
                f"{uri} is not a whole Parquet file ({str(error).splitlines()[0]}); "
                f"delete it and {self.ledger_uri(shard)}, then run the stage again"
            ) from error

    def read_slab(self, shard: Shard, slab: int, columns: Sequence[str] | None = None) -> pa.Table:
        with self.open(shard) as file:
            return file.read_row_group(slab, columns=list(columns) if columns else None)
