"""Makes a split of the manifest from its source, piece by piece and bucket by bucket; see `shuffle.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ssl_asr.corpus.bucket_job import BucketJob, buckets_before, shards_of
from ssl_asr.corpus.later_uses_job import LaterUsesJob
from ssl_asr.corpus.piece_job import PieceJob, Source
from ssl_asr.corpus.shuffle import buckets_store, count_of_buckets, ids_store, later_uses_store, pieces_store
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, digest
from ssl_asr.runtime.job_runner import ShardJob
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

# A source that asks for this many times the buckets of the last listing, or that share of them, is cut anew.
GROWTH = 4


class Place(Protocol):
    """Has jobs done, as `run_shard_jobs` does; returns the shards that could not be made, with reasons."""

    def __call__(
        self, what: str, shards: Sequence[Shard], make_job: Callable[[], ShardJob], *, skipped: int
    ) -> list[Reject]: ...


@dataclass(frozen=True)
class SplitListing:
    """A split of a run, its source, and what its shards are made from beside it. `place` has the work done.

    There are as many buckets as in the last listing, so that a source that has grown leaves most shards alone.
    """

    recipe: Recipe
    split: str
    source: Source
    shard_parents: Inputs
    place: Place

    @property
    def buckets(self) -> int:
        wanted, before = count_of_buckets(self.source.size), buckets_before(self.recipe.run, self.split)
        return before if before and before / GROWTH < wanted < before * GROWTH else wanted

    def read(self) -> None:
        """All pieces that are new or have changed. ValueError where one can't be read."""
        run, buckets = self.recipe.run, self.buckets
        if buckets != buckets_before(run, self.split):
            for store in (buckets_store(run), later_uses_store(run), ShardStore(run, MANIFEST)):
                store.keep_only(self.split, [])
        pieces = range(len(self.source.pieces))
        wanted = {Shard(self.split, number): self.source.parents(number, buckets) for number in pieces}
        self._make(f"reading {self.split}", pieces_store(run), wanted, partial(PieceJob, run, self.source, buckets))
        ids_store(run).keep_only(self.split, wanted)

    def cut(self) -> None:
        """The shards of all buckets that have changed, once all pieces are read."""
        run, buckets, split = self.recipe.run, self.buckets, self.split
        pieces = digest(pieces_store(run).index(split).column("checksum").tolist())
        parents = {"pieces": pieces, "buckets": str(buckets), **self.source.inputs, **self.shard_parents}
        wanted = {Shard(split, number): parents for number in range(buckets)}
        if len(self.source.pieces) > 1:
            self._make(f"ids of {split}", later_uses_store(run), wanted, partial(LaterUsesJob, run, buckets, parents))
        else:
            later_uses_store(run).keep_only(split, [])
        job = partial(
            BucketJob,
            self.recipe,
            buckets,
            shard_parents=self.shard_parents,
            parents=parents,
            is_ordered=self.source.is_ordered,
        )
        self._make(f"cutting {split}", buckets_store(run), wanted, job)
        ShardStore(run, MANIFEST).keep_only(split, [Shard(split, number) for number in shards_of(run, split)])

    def _make(
        self, what: str, store: ShardStore, wanted: Mapping[Shard, Inputs], job: Callable[[], ShardJob]
    ) -> None:
        store.delete_temporary()
        store.keep_only(self.split, wanted)
        todo = store.unfinished(wanted)
        failed = self.place(what, todo, job, skipped=len(wanted) - len(todo))
        if failed:
            raise ValueError(f"{failed[0].reason} ({len(failed)} of {len(wanted)} parts of {self.split} failed)")
