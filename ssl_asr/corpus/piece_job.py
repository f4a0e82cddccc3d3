"""Reads one piece of a split's source and leaves its utterances for the buckets: what an actor does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ssl_asr.corpus.duplicates import id_table, partitions_of
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.shuffle import buckets_of, ids_store, pieces_store
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import publish_partitions
from ssl_asr.store.utterance import encode

# Before the name of a statistic that counts what is listed and matches nothing.
UNMATCHED = "unmatched."


@dataclass(frozen=True)
class Source:
    """Where a split comes from.

    `read` gives the usable utterances of a piece, each id once, and its rejects. `inputs` is what it depends on
    beside the pieces' files. `is_ordered` says that it gives the order of each speaker's utterances.
    """

    pieces: Sequence[Piece]
    read: Callable[[Piece], Reading]
    inputs: Inputs
    is_ordered: bool = False

    @property
    def size(self) -> int:
        """Bytes of the lists."""
        return sum(piece.end - piece.begin for piece in self.pieces)

    def parents(self, number: int, buckets: int) -> dict[str, str]:
        """Of a piece."""
        return {**self.inputs, **self.pieces[number].inputs(), "buckets": str(buckets)}


class PieceJob:
    """Called with a piece's number, publishes its utterances and the hashes of their ids."""

    def __init__(self, run: str, source: Source, buckets: int) -> None:
        self.run, self.source, self.buckets = run, source, buckets

    def __call__(self, shard: Shard) -> None:
        """ValueError where the piece can't be read at all."""
        reading = self.source.read(self.source.pieces[shard.number])
        found, parents = reading.utterances, self.source.parents(shard.number, self.buckets)
        buckets = buckets_of([each.speaker for each in found], self.buckets)
        ids = id_table([each.id for each in found], buckets)
        # A finished piece has its ids too, so they come first.
        publish_partitions(
            ids_store(self.run), shard, ids, partitions_of(ids, self.buckets), count=self.buckets, parents=parents
        )
        publish_partitions(
            pieces_store(self.run),
            shard,
            encode(found),
            buckets,
            count=self.buckets,
            parents=parents,
            seconds=sum(each.duration for each in found),
            statistics={UNMATCHED + what: count for what, count in reading.counts.items()},
            rejects=reading.rejects,
        )
