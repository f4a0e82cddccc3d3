"""How words in files of any order come to the shards of their utterances: an exchange through files of the run.

The files are read in pieces, and each piece leaves its words in partitions, by a hash of the utterance's id. The
shards of features leave their ids in the same partitions, group by group. Equal ids meet in one partition, where
words are joined with the place of the shard that wants them. They are left by group, and then by shard.

Every step is a store with a ledger, cut by the files' bytes and by the number of shards. So the words of a shard
depend on the files alone, what was killed goes on with what is left, and no process holds more than a piece, a
partition or a group. All is deleted once the shards are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ssl_asr.corpus.pieces import PIECE_BYTES, Piece
from ssl_asr.corpus.placing import Place, make_all
from ssl_asr.corpus.shuffle import count_of_buckets
from ssl_asr.hypotheses.outside.exchange_jobs import (
    FIRST,
    MATCHED,
    UNREADABLE,
    WRITTEN,
    GroupJob,
    IdsJob,
    JoinJob,
    PieceJob,
)
from ssl_asr.hypotheses.outside.groups import ShardGroups
from ssl_asr.hypotheses.outside.reading import pieces_of
from ssl_asr.hypotheses.outside.source import OutsideSource
from ssl_asr.store import filesystem, layout
from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import Partitions, partition_store
from ssl_asr.store.shards import ShardStore

_VERSION = "1"  # raise where equal pieces or partitions leave other files


@dataclass(frozen=True)
class Exchange:
    """Of the words of `source` for the shards in `groups`; `place` has the work done."""

    run: str
    split: str
    source: OutsideSource
    groups: ShardGroups
    place: Place

    @cached_property
    def pieces(self) -> list[Piece]:
        """ValueError naming a file that can't be cut."""
        return pieces_of(self.source.kind, self.source.files, PIECE_BYTES)

    @property
    def files(self) -> list[str]:
        return [file.uri for file in self.source.files]

    @property
    def count(self) -> int:
        """How many partitions there are by the hash of an id."""
        return count_of_buckets(self.source.listed_bytes)

    def join(self) -> tuple[int, int]:
        """How many utterances the files have, and how many of them are in the run; ValueError if a file is broken."""
        self._read()
        self._find_ids()
        self._join()
        index = self._store(layout.JOINED_WORDS).index(self.split)
        written, matched = (int(index.statistic(name).sum()) for name in (WRITTEN, MATCHED))
        return written, matched

    def group(self, shards: Sequence[Shard]) -> None:
        """Leave the words of these shards where their jobs look for them."""
        joined = Partitions.of(self._store(layout.JOINED_WORDS), self.split)
        groups = sorted({self.groups.place(shard.number) // self.groups.size for shard in shards})
        wanted = {
            Shard(self.split, group): {
                "version": _VERSION,
                "words": joined.digest(group),
                "size": str(self.groups.size),
            }
            for group in groups
        }
        job = partial(GroupJob, self.run, self.split, self.groups.size, wanted)
        make_all(self.place, "words by shard", self._store(layout.SHARD_WORDS), self.split, wanted, job)

    def has_unreadable_shards(self) -> bool:
        return bool(self._unreadable())

    def first_utterance(self) -> str:
        """Of the files."""
        store = self._store(layout.WORD_PIECES)
        entries = (store.entry(shard) for shard in store.shards(self.split))
        firsts = (str(entry.statistics[FIRST]) for entry in entries if entry is not None)
        return next((first for first in firsts if first), "none at all")

    def _read(self) -> None:
        wanted = {
            Shard(self.split, number): {**piece.inputs(), **self._common(), "kind": self.source.kind}
            for number, piece in enumerate(self.pieces)
        }
        job = partial(PieceJob, self.run, self.source.kind, self.pieces, self.files, self.count, wanted)
        make_all(self.place, "reading words", self._store(layout.WORD_PIECES), self.split, wanted, job)

    def _find_ids(self) -> None:
        wanted = {
            Shard(self.split, group): {**self.groups.inputs(group), **self._common()}
            for group in range(self.groups.count)
        }
        job = partial(IdsJob, self.run, self.groups, self.count, wanted)
        # A shard of features may have been mended since.
        store, again = self._store(layout.ID_GROUPS), self._unreadable()
        make_all(self.place, "ids of shards", store, self.split, wanted, job, also=again)

    def _join(self) -> None:
        words, ids = (Partitions.of(self._store(name), self.split) for name in (layout.WORD_PIECES, layout.ID_GROUPS))
        common = {**self._common(), "shards": f"{self.groups.count} groups of {self.groups.size}"}
        wanted = {
            Shard(self.split, number): {"words": words.digest(number), "ids": ids.digest(number), **common}
            for number in range(self.count)
        }
        job = partial(JoinJob, self.run, self.split, self.files, self.groups, wanted)
        make_all(self.place, "joining words", self._store(layout.JOINED_WORDS), self.split, wanted, job)

    def _unreadable(self) -> set[int]:
        """Groups that have shards of features that can't be read."""
        index = self._store(layout.ID_GROUPS).index(self.split)
        return {*index.numbers[np.nan_to_num(index.statistic(UNREADABLE)) > 0].tolist()}

    def _common(self) -> dict[str, str]:
        return {"version": _VERSION, "partitions": str(self.count)}

    def _store(self, name: str) -> ShardStore:
        return partition_store(self.run, name)


def forget_exchange(run: str) -> None:
    """Once the shards are made."""
    for folder in (layout.store_folder, layout.ledger_folder, layout.index_folder):
        filesystem.delete(folder(run, layout.IMPORTED_WORDS))
