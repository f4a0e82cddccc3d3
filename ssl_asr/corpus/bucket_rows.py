"""The utterances of one bucket of a split, from its partition of every piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ssl_asr.corpus.duplicates import AGAIN, id_hashes
from ssl_asr.corpus.long_recordings import is_of_list
from ssl_asr.corpus.sharding import changes
from ssl_asr.corpus.shuffle import PIECE_SCHEMA, later_uses_store, pieces_store
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.partitions import Partitions, read_partitions


@dataclass(frozen=True)
class BucketRows:
    """The utterances of a bucket, and later uses of an id, of which `segments` are of recordings that were cut."""

    rows: pa.Table
    later_uses: tuple[Reject, ...]
    segments: int


@dataclass(frozen=True)
class SplitRows:
    """What reading a split has left for its buckets: where the rows of each are, and later uses of an id."""

    run: str
    pieces: Partitions
    uses: Partitions

    @classmethod
    def of(cls, run: str, split: str) -> SplitRows:
        return cls(run, *(Partitions.of(store(run), split) for store in (pieces_store, later_uses_store)))

    def of_bucket(self, shard: Shard, *, is_ordered: bool) -> BucketRows:
        """Utterances in the order of the bucket's speakers and of their time.

        Without an order of the source's own, a speaker's utterances follow each other by file, start and id.
        """
        table, later, segments = self._without_later_uses(shard)
        keys = ("speaker", "order", "id") if is_ordered else ("speaker", "audio", "offset", "id")
        rows = table.sort_by([(key, "ascending") for key in keys]).combine_chunks()
        if not is_ordered and rows.num_rows:
            first = changes(rows["speaker"])
            counts = np.diff(np.append(first, rows.num_rows))
            order = np.arange(rows.num_rows) - np.repeat(first, counts)
            rows = rows.set_column(rows.schema.get_field_index("order"), "order", pa.array(order))
        return BucketRows(rows, tuple(Reject(name, AGAIN) for name in later), segments)

    def _without_later_uses(self, shard: Shard) -> tuple[pa.Table, list[str], int]:
        uses, pieces = later_uses_store(self.run), pieces_store(self.run)
        later: dict[int, set[bytes]] = {}
        for table in read_partitions(uses, shard.split, self.uses.files(shard.number), shard.number):
            for row in table.to_pylist():
                later.setdefault(row["piece"], set()).add(row["id"])
        kept, names, segments = [PIECE_SCHEMA.empty_table()], list[str](), 0
        numbers = self.pieces.files(shard.number)
        for number, table in zip(numbers, read_partitions(pieces, shard.split, numbers, shard.number), strict=True):
            if number in later:
                again = np.array([each in later[number] for each in id_hashes(table["id"].to_pylist())])
                names += table.filter(pa.array(again))["id"].to_pylist()
                segments += 0 if is_of_list(number) else int(again.sum())
                table = table.filter(pc.invert(pa.array(again)))
            kept.append(table)
        return pa.concat_tables(kept), names, segments
