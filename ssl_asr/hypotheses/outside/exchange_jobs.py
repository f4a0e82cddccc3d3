"""What actors do between the files of another recogniser's words and the shards of the run; see `exchange.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.shuffle import buckets_of
from ssl_asr.hypotheses.content import UnlabeledRow, own_places
from ssl_asr.hypotheses.outside.groups import ShardGroups
from ssl_asr.hypotheses.outside.reading import read_piece
from ssl_asr.hypotheses.outside.words import FILE, LISTS, SCHEMA, joined_rows
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import features, layout
from ssl_asr.store.ledger import Shard
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.partitions import Partitions, partition_store, publish_partitions, read_partitions
from ssl_asr.store.shards import ShardStore

# Statistics: a piece's first utterance; how many shards of a group can't be read; utterances of the files in a
# partition, and those of them that are in the run.
FIRST, UNREADABLE, WRITTEN, MATCHED = "first", "unreadable", "written", "matched"
PLACE = "place"  # column: of a shard among all
ID_SCHEMA = pa.schema([("id", pa.string()), (PLACE, pa.int64())])
_WRITTEN_SCHEMA = SCHEMA.append(pa.field(FILE, pa.int32()))
_JOINED_SCHEMA = pa.schema([field for field in SCHEMA if field.name in ("id", *LISTS)]).append(ID_SCHEMA.field(PLACE))

Parents = Mapping[Shard, Inputs]


class PieceJob:
    """Called with a piece's number, publishes its words, partitioned by a hash of the utterances' ids."""

    def __init__(
        self, run: str, kind: str, pieces: Sequence[Piece], files: Sequence[str], count: int, parents: Parents
    ) -> None:
        self.kind, self.pieces, self.count, self.parents = kind, pieces, count, parents
        self.store = partition_store(run, layout.WORD_PIECES)
        self.places = {uri: place for place, uri in enumerate(files)}
        self.pieces_of_file = Counter(piece.uri for piece in pieces)

    def __call__(self, shard: Shard) -> None:
        """ValueError where the piece is broken."""
        piece = self.pieces[shard.number]
        rows = read_piece(self.kind, piece, is_whole=self.pieces_of_file[piece.uri] == 1)
        ids = rows["id"].to_pylist()
        file = pa.array(np.full(rows.num_rows, self.places[piece.uri], np.int32))
        publish_partitions(
            self.store,
            shard,
            rows.append_column(FILE, file).cast(_WRITTEN_SCHEMA),
            buckets_of(ids, self.count),
            count=self.count,
            parents=self.parents[shard],
            statistics={FIRST: ids[0] if ids else ""},
        )


class IdsJob:
    """Called with a group's number, publishes which ids its shards want words of, partitioned by the same hash."""

    def __init__(self, run: str, groups: ShardGroups, count: int, parents: Parents) -> None:
        self.groups, self.count, self.parents = groups, count, parents
        self.features, self.store = ShardStore(run, features.STORE), partition_store(run, layout.ID_GROUPS)

    def __call__(self, shard: Shard) -> None:
        places = self.groups.places(shard.number)
        numbers = self.groups.numbers[places.start : places.stop].tolist()
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            found = list(pool.map(self._ids, (Shard(shard.split, number) for number in numbers)))
        ids = [name for each in found for name in each or ()]
        at = np.repeat(np.array(places, np.int64), [len(each or ()) for each in found])
        publish_partitions(
            self.store,
            shard,
            pa.table({"id": ids, PLACE: at}, ID_SCHEMA),
            buckets_of(ids, self.count),
            count=self.count,
            parents=self.parents[shard],
            statistics={UNREADABLE: found.count(None)},
        )

    def _ids(self, shard: Shard) -> list[str] | None:
        """None where the shard can't be read, which the job that makes its words tells."""
        ids: list[str] = []
        try:
            for table in self.features.read_slabs(shard, ["id", "condition"]):
                slab = [UnlabeledRow(row["id"], row["condition"], 0) for row in table.to_pylist()]
                ids += [slab[place].id for place in own_places(slab)]
        except ValueError:
            return None
        return ids


class JoinJob:
    """Called with a partition's number, publishes the words that the run's utterances have, partitioned by group."""

    def __init__(self, run: str, split: str, files: Sequence[str], groups: ShardGroups, parents: Parents) -> None:
        self.files, self.groups, self.parents = files, groups, parents
        self.words, self.ids, self.store = (
            partition_store(run, name) for name in (layout.WORD_PIECES, layout.ID_GROUPS, layout.JOINED_WORDS)
        )
        self.of_words, self.of_ids = (Partitions.of(store, split) for store in (self.words, self.ids))

    def __call__(self, shard: Shard) -> None:
        """ValueError naming an utterance that the files have twice."""
        number = shard.number
        rows = read_partitions(self.words, shard.split, self.of_words.files(number), number)
        written = joined_rows(pa.concat_tables([_WRITTEN_SCHEMA.empty_table(), *rows]).combine_chunks(), self.files)
        ids = read_partitions(self.ids, shard.split, self.of_ids.files(number), number)
        joined = _joined(written, pa.concat_tables([ID_SCHEMA.empty_table(), *ids]))
        publish_partitions(
            self.store,
            shard,
            joined,
            joined[PLACE].to_numpy() // self.groups.size,
            count=self.groups.count,
            parents=self.parents[shard],
            statistics={WRITTEN: written.num_rows, MATCHED: joined.num_rows},
        )


class GroupJob:
    """Called with a group's number, publishes the words of its shards, a partition each."""

    def __init__(self, run: str, split: str, size: int, parents: Parents) -> None:
        self.size, self.parents = size, parents
        self.joined, self.store = (partition_store(run, name) for name in (layout.JOINED_WORDS, layout.SHARD_WORDS))
        self.of_joined = Partitions.of(self.joined, split)

    def __call__(self, shard: Shard) -> None:
        found = read_partitions(self.joined, shard.split, self.of_joined.files(shard.number), shard.number)
        rows = pa.concat_tables([_JOINED_SCHEMA.empty_table(), *found])
        inside = rows[PLACE].to_numpy() % self.size
        publish_partitions(self.store, shard, rows, inside, count=self.size, parents=self.parents[shard])


def _joined(written: pa.Table, ids: pa.Table) -> pa.Table:
    """The words of `ids`, in their order; ids that nobody has written of are left out."""
    rows = {name: row for row, name in enumerate(written["id"].to_pylist())}
    at = np.array([rows.get(name, -1) for name in ids["id"].to_pylist()], np.int64)
    found = written.select(["id", *LISTS]).take(pa.array(at[at >= 0]))
    return found.append_column(PLACE, pa.array(ids[PLACE].to_numpy()[at >= 0])).cast(_JOINED_SCHEMA)
