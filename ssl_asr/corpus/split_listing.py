"""Makes a split of the manifest from its source, piece by piece and bucket by bucket; see `shuffle.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ssl_asr.corpus.bucket_job import BucketJob, buckets_before, shards_of
from ssl_asr.corpus.later_uses_job import LaterUsesJob
from ssl_asr.corpus.listed_files import forget_files, keep_files
from ssl_asr.corpus.long_recordings import is_of_list, long_store
from ssl_asr.corpus.piece_job import LONG, PieceJob, Source
from ssl_asr.corpus.placing import Place, make_all
from ssl_asr.corpus.segmenting import Segmenting
from ssl_asr.corpus.shuffle import (
    MOST_BUCKETS,
    SEGMENT_BYTES_A_SECOND,
    buckets_store,
    count_of_buckets,
    ids_store,
    later_uses_store,
    pieces_store,
)
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.layout import MANIFEST, SHARD_SUFFIX, split_folder
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import Numbers, list_files
from ssl_asr.store.partitions import Partitions
from ssl_asr.store.shards import ShardStore

# A source that asks for this many times the buckets of the last listing, or that share of them, is cut anew.
GROWTH = 4
# Of a bucket, which a task holds in memory: 300 bytes each, several times over.
MOST_ROWS = 5_000_000


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
    def size(self) -> float:
        """Bytes of the lists, and what segments of long recordings would have there, once the lists are read."""
        long = long_store(self.recipe.run).index(self.split).column("seconds")
        return self.source.size + SEGMENT_BYTES_A_SECOND * float(long.sum())

    @property
    def buckets(self) -> int:
        most = len(self.source.pieces) if self.source.group == "source" else MOST_BUCKETS
        wanted, before = count_of_buckets(self.size, most), buckets_before(self.recipe.run, self.split)
        return before if before and before / GROWTH < wanted < before * GROWTH else wanted

    def read(self) -> None:
        """All pieces that are new or have changed, and what is to be cut of their recordings.

        ValueError where one can't be read.
        """
        buckets = self.buckets
        self._read(buckets)
        if self.buckets != buckets:  # what is to be cut is known now
            buckets = self.buckets
            self._read(buckets)
        Segmenting(self.recipe, self.split, buckets, self.place, by_piece=self.source.group == "source").run()

    def _read(self, buckets: int) -> None:
        run, split = self.recipe.run, self.split
        pieces, ids, long = pieces_store(run), ids_store(run), long_store(run)
        numbers = range(len(self.source.pieces))
        wanted = {Shard(split, number): self.source.wanted(number, buckets) for number in numbers}
        parents = {shard: self.source.parents(shard.number, buckets) for shard in wanted}
        index = pieces.index(split)
        # What was refused may have been mended where no list shows it.
        refused = index.numbers[index.column("rejects") > 0].tolist()
        with_long = {*index.numbers[index.statistic(LONG) > 0].tolist()}
        lost = [*ids.unfinished(parents), *long.unfinished({s: parents[s] for s in wanted if s.number in with_long})]
        segments = [shard for shard in pieces.shards(split) if not is_of_list(shard.number)]
        source = replace(self.source, pieces=keep_files(run, split, self.source.pieces))
        job = partial(PieceJob, run, source, buckets)
        also = {*refused, *(shard.number for shard in lost)}
        make_all(self.place, f"reading {split}", pieces, split, wanted, job, also=also, keep=segments)
        for store, kept in ((ids, {*wanted, *segments}), (long, wanted)):
            store.delete_temporary()
            store.keep_only(split, kept)
        forget_files(run, split)

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
                "machine's memory holds; where the source's speakers mean nothing, set corpus.group=recording; where "
                "it has each speaker in one place, set corpus.group=source"
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
        also = self._damaged(buckets)
        make_all(self.place, f"cutting {split}", buckets_store(run), split, wanted, job, also=also)
        ShardStore(run, MANIFEST).keep_only(split, [Shard(split, number) for number in shards_of(run, split)])

    def _find_later_uses(self, buckets: int) -> None:
        """Of ids, where several pieces may have the same."""
        run, split = self.recipe.run, self.split
        if len(pieces_store(run).shards(split)) <= 1:
            later_uses_store(run).keep_only(split, [])
            return
        ids = Partitions.of(ids_store(run), split)
        wanted = {
            Shard(split, number): {"ids": ids.digest(number), "buckets": str(buckets)} for number in range(buckets)
        }
        job = partial(LaterUsesJob, run, split, buckets, wanted)
        make_all(self.place, f"ids of {split}", later_uses_store(run), split, wanted, job)

    def _damaged(self, buckets: int) -> set[int]:
        """Buckets of which a shard is missing, or has not the size that its entry says."""
        numbers = np.array(shards_of(self.recipe.run, self.split), np.int64)
        return {*(np.setdiff1d(numbers, _whole(self.recipe.run, self.split)) % buckets).tolist()}


def _whole(run: str, split: str) -> Numbers:
    """Shards of the manifest whose files are there, in the size of their entries."""
    index = ShardStore(run, MANIFEST).index(split)
    files = list_files(split_folder(run, MANIFEST, split), SHARD_SUFFIX)
    both, of_index, of_files = np.intersect1d(index.numbers, files.numbers, return_indices=True)
    frames = index.column("frames")[of_index]
    size = index.statistic("bytes_per_frame")[of_index] * frames
    return both[np.abs(files.sizes[of_files] - size) <= frames / 1000 + 1]  # the entry has three digits
