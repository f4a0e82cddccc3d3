"""Makes a split of the manifest from its source, piece by piece and bucket by bucket; see `shuffle.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ssl_asr.corpus.bucket_job import BucketJob, buckets_before, shards_of
from ssl_asr.corpus.later_uses_job import LaterUsesJob
from ssl_asr.corpus.piece_job import PieceJob, Source
from ssl_asr.corpus.shuffle import (
    MOST_BUCKETS,
    buckets_store,
    count_of_buckets,
    ids_store,
    later_uses_store,
    pieces_store,
)
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.layout import MANIFEST, SHARD_SUFFIX, split_folder
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.listing import Numbers, list_files
from ssl_asr.store.partitions import Partitions
from ssl_asr.store.shards import ShardStore

if TYPE_CHECKING:  # with Ray beside it
    from ssl_asr.runtime.job_runner import ShardJob

# A source that asks for this many times the buckets of the last listing, or that share of them, is cut anew.
GROWTH = 4
# Of a bucket, which a task holds in memory: 300 bytes each, several times over.
MOST_ROWS = 5_000_000


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
        most = len(self.source.pieces) if self.source.group == "source" else MOST_BUCKETS
        wanted, before = count_of_buckets(self.source.size, most), buckets_before(self.recipe.run, self.split)
        return before if before and before / GROWTH < wanted < before * GROWTH else wanted

    def read(self) -> None:
        """All pieces that are new or have changed. ValueError where one can't be read."""
        run, buckets = self.recipe.run, self.buckets
        pieces, ids = pieces_store(run), ids_store(run)
        numbers = range(len(self.source.pieces))
        wanted = {Shard(self.split, number): self.source.wanted(number, buckets) for number in numbers}
        lost = ids.unfinished({shard: self.source.parents(shard.number, buckets) for shard in wanted})
        index = pieces.index(self.split)
        # What was refused may have been mended where no list shows it.
        refused = index.numbers[index.column("rejects") > 0].tolist()
        job = partial(PieceJob, run, self.source, buckets)
        self._make(f"reading {self.split}", pieces, wanted, job, also={*refused, *(shard.number for shard in lost)})
        ids.delete_temporary()
        ids.keep_only(self.split, wanted)

    def forget(self) -> None:
        """Have all pieces read again, as where audio is missing."""
        pieces_store(self.recipe.run).keep_only(self.split, [])

    def cut(self) -> None:
        """The shards of all buckets that have changed, once all pieces are read."""
        run, buckets, split = self.recipe.run, self.buckets, self.split
        # A run of an earlier version has shards and no buckets: as one, it keeps what is the same.
        if buckets != max(buckets_before(run, split), 1):
            for store in (buckets_store(run), later_uses_store(run), ShardStore(run, MANIFEST)):
                store.keep_only(split, [])
        ShardStore(run, MANIFEST).delete_temporary()
        self._find_later_uses(buckets)
        pieces, uses = (Partitions.of(store(run), split) for store in (pieces_store, later_uses_store))
        if (most := int(pieces.rows.sum(0).max(initial=0))) > MOST_ROWS:
            raise ValueError(
                f"{most:,} utterances of {split} have speakers that fall into one part of {buckets}, more than a "
                "machine's memory holds; where the source's speakers mean nothing, set corpus.group=recording"
            )
        common = {"buckets": str(buckets), **self.source.inputs, **self.shard_parents}
        wanted = {
            Shard(split, number): {"rows": pieces.digest(number), "later uses": uses.digest(number), **common}
            for number in range(buckets)
        }
        job = partial(
            BucketJob,
            self.recipe,
            split,
            buckets,
            shard_parents=self.shard_parents,
            parents=wanted,
            is_ordered=self.source.is_ordered,
        )
        self._make(f"cutting {split}", buckets_store(run), wanted, job, also=self._damaged(buckets))
        ShardStore(run, MANIFEST).keep_only(split, [Shard(split, number) for number in shards_of(run, split)])

    def _find_later_uses(self, buckets: int) -> None:
        """Of ids, where several pieces may have the same."""
        run, split = self.recipe.run, self.split
        if len(self.source.pieces) <= 1:
            later_uses_store(run).keep_only(split, [])
            return
        ids = Partitions.of(ids_store(run), split)
        wanted = {
            Shard(split, number): {"ids": ids.digest(number), "buckets": str(buckets)} for number in range(buckets)
        }
        self._make(
            f"ids of {split}", later_uses_store(run), wanted, partial(LaterUsesJob, run, split, buckets, wanted)
        )

    def _damaged(self, buckets: int) -> set[int]:
        """Buckets of which a shard is missing, or has not the size that its entry says."""
        numbers = np.array(shards_of(self.recipe.run, self.split), np.int64)
        return {*(np.setdiff1d(numbers, _whole(self.recipe.run, self.split)) % buckets).tolist()}

    def _make(
        self,
        what: str,
        store: ShardStore,
        wanted: Mapping[Shard, Inputs],
        job: Callable[[], ShardJob],
        also: Collection[int] = (),
    ) -> None:
        store.delete_temporary()
        store.keep_only(self.split, wanted)
        unfinished = {*store.unfinished(wanted)}
        todo = [shard for shard in wanted if shard in unfinished or shard.number in also]
        failed = self.place(what, todo, job, skipped=len(wanted) - len(todo))
        if failed:
            raise ValueError(f"{failed[0].reason} ({len(failed)} of {len(wanted)} parts of {self.split} failed)")


def _whole(run: str, split: str) -> Numbers:
    """Shards of the manifest whose files are there, in the size of their entries."""
    index = ShardStore(run, MANIFEST).index(split)
    files = list_files(split_folder(run, MANIFEST, split), SHARD_SUFFIX)
    both, of_index, of_files = np.intersect1d(index.numbers, files.numbers, return_indices=True)
    frames = index.column("frames")[of_index]
    size = index.statistic("bytes_per_frame")[of_index] * frames
    return both[np.abs(files.sizes[of_files] - size) <= frames / 1000 + 1]  # the entry has three digits
