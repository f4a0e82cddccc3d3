"""Cuts the long recordings of a split by voice activity, batch by batch, and gathers the segments in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ssl_asr.corpus.cut_job import CutJob, cuts_parents, cutting_of
from ssl_asr.corpus.long_recordings import Batches, batches_of, cuts_store, is_of_list, long_store
from ssl_asr.corpus.placing import Place, make_all
from ssl_asr.corpus.segment_job import SegmentJob
from ssl_asr.corpus.shuffle import ids_store, pieces_store
from ssl_asr.corpus.sources import has_pipes
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, digest
from ssl_asr.store.ledger import Shard


@dataclass(frozen=True)
class Segmenting:
    """Of one split, once all pieces of its list are read for so many buckets."""

    recipe: Recipe
    split: str
    buckets: int
    place: Place
    by_piece: bool

    def run(self) -> None:
        """ValueError if the recipe's lengths contradict each other."""
        batches = batches_of(self.recipe.run, self.split)
        if len(batches):
            self._cut(batches)
            self._gather(batches)
        else:
            self._keep({})
            cuts_store(self.recipe.run).keep_only(self.split, [])

    def _cut(self, batches: Batches) -> None:
        corpus, store = self.recipe.corpus, cuts_store(self.recipe.run)
        cutting = cutting_of(corpus)
        shards = [Shard(self.split, number) for number in batches.numbers.tolist()]
        hours = dict(zip(shards, (batches.seconds / 3600).tolist(), strict=True))
        wanted = dict.fromkeys(shards, cuts_parents(cutting))
        index = store.index(self.split)
        # What could not be used may have been mended where no list shows it.
        failed = index.numbers[index.column("rejects") > 0].tolist()
        job = partial(CutJob, self.recipe.run, batches, cutting, pipes=has_pipes(corpus, self.split))
        what = f"cutting long recordings of {self.split}"
        make_all(self.place, what, store, self.split, wanted, job, also={*failed}, hours=hours)

    def _gather(self, batches: Batches) -> None:
        run, split = self.recipe.run, self.split
        wanted = {Shard(split, group): parents for group, parents in self._parents(batches).items()}
        self._keep(wanted)
        lost = {shard.number for shard in ids_store(run).unfinished(wanted)}
        parents = {shard.number: wanted[shard] for shard in wanted}
        job = partial(SegmentJob, run, batches, self.buckets, parents, by_piece=self.by_piece)
        what, store, keep = f"segments of {split}", pieces_store(run), self._listed()
        hours = {shard: float(batches.seconds[batches.groups == shard.number].sum()) / 3600 for shard in wanted}
        make_all(self.place, what, store, split, wanted, job, also=lost, keep=keep, hours=hours)

    def _keep(self, wanted: Mapping[Shard, Inputs]) -> None:
        """Delete former pieces of segments."""
        for store in (ids_store(self.recipe.run), pieces_store(self.recipe.run)):
            store.delete_temporary()
            store.keep_only(self.split, {*wanted, *self._listed()})

    def _listed(self) -> list[Shard]:
        """The pieces of the list."""
        return [each for each in pieces_store(self.recipe.run).shards(self.split) if is_of_list(each.number)]

    def _parents(self, batches: Batches) -> Mapping[int, Inputs]:
        """Of each piece of segments, by number: its recordings, and where these are cut."""
        run, split = self.recipe.run, self.split
        lists, cuts = long_store(run).index(split), cuts_store(run).index(split)
        recordings = dict(zip(lists.numbers.tolist(), lists.column("checksum").tolist(), strict=True))
        checksums = cuts.column("checksum")[np.searchsorted(cuts.numbers, batches.numbers)]
        found: dict[int, Inputs] = {}
        for group in dict.fromkeys(batches.groups.tolist()):
            mine = np.flatnonzero(batches.groups == group)
            found[group] = {
                "recordings": recordings[int(batches.pieces[mine[0]])],
                "cuts": digest(checksums[mine].tolist()),
                "buckets": str(self.buckets),
                "by piece": str(self.by_piece),
            }
        return found
