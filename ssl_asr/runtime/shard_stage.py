"""One template for all that makes a shard of one store from the shard of the same number of another.

Features from the manifest, alignments and targets from features: `ShardMaker` is what an actor does with one shard,
`ShardStage` what the driver knows of all of them. Both derive a shard's parents by the same function, so the driver
finds done what an actor has published.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.runtime.reject_list import MOST_LISTED
from ssl_asr.runtime.shard_maker import SourceShard
from ssl_asr.runtime.shard_outcome import Outcome, SplitOutcome
from ssl_asr.runtime.stage_report import read_rejects
from ssl_asr.runtime.todo import REJECTED, Todo, reasons, upstream, waiting
from ssl_asr.store.ledger import Reject, Shard, parents_digest
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.shards import ShardStore

Parents = Callable[[SourceShard], Inputs]
_MENDED = "audio that was rejected"


def _none(split: str) -> Collection[int]:
    return ()


@dataclass(frozen=True)
class ShardStage:
    """All shards of `store` in `splits`, each of them made from that of `source`."""

    recipe: Recipe
    source: ShardStore
    store: ShardStore
    splits: tuple[str, ...]
    parents: Parents
    statistics: tuple[str, ...] = ()  # of the source's entries: those that `parents` looks at
    former: ShardStore | None = None  # what was made last, where a store of another name takes its place
    # Numbers of a split's shards with rejects whose audio is another now: they are made again from the same parents.
    mended: Callable[[str], Collection[int]] = _none

    @cached_property
    def sources(self) -> dict[str, LedgerIndex]:
        """The source's finished shards by split, as they were when first asked for."""
        return {split: self.source.index(split) for split in self.splits}

    @property
    def size(self) -> int:
        return sum(len(index.numbers) for index in self.sources.values())

    @property
    def rows(self) -> int:
        return sum(int(index.column("rows").sum()) for index in self.sources.values())

    def unfinished(self) -> list[Shard]:
        """Shards that are not there, were made from something else, or have rejects whose audio was mended."""
        left: list[Shard] = []
        for split, index in self.sources.items():
            digests = (parents_digest(self.parents(each)) for each in self.rows_of(split))
            done = self.store.done(split, index.numbers, np.fromiter(digests, np.uint64, len(index.numbers)))
            done &= ~np.isin(index.numbers, np.array([*self.mended(split)], np.int64))
            left += [Shard(split, number) for number in index.numbers[~done].tolist()]
        return left

    def rows_of(self, split: str, places: range | None = None) -> Iterator[SourceShard]:
        index = self.sources[split]
        columns = {name: index.statistic(name) for name in self.statistics}
        numbers, checksums = index.numbers, index.column("checksum")
        for place in range(len(numbers)) if places is None else places:
            said = {name: float(values[place]) for name, values in columns.items()}
            yield SourceShard(Shard(split, int(numbers[place])), checksums[place], said)

    def reasons(self, shard: Shard) -> tuple[str, ...]:
        """Why the shard is to be made."""
        index = self.sources[shard.split]
        place = int(np.searchsorted(index.numbers, shard.number))
        wanted = self.parents(next(self.rows_of(shard.split, range(place, place + 1))))
        entry = self.store.entry(shard)
        if entry is None and self.former is not None:
            entry = self.former.entry(shard)
        why = reasons(None if entry is None else entry.parents, wanted)
        return why or (_MENDED if shard.number in self.mended(shard.split) else "its file is missing",)

    def todo(self, stage: str, product: str, before: Sequence[Todo], source: str) -> list[Todo]:
        """By split: "features/test" after "manifest/test", or because of what differs for its first shard.

        Shards that the stage has rejected are tried again, but nothing waits for them.
        """
        left, rejected = self.unfinished(), {reject.id for reject in read_rejects(self.recipe, stage)}
        found = []
        for split, index in self.sources.items():
            shards = [shard for shard in left if shard.split == split]
            if causes := upstream(before, f"{source}/{split}"):
                found.append(waiting(f"{product}/{split}", causes, len(index.numbers) or None))
            elif shards and all(shard.name in rejected for shard in shards):
                found.append(Todo(f"{REJECTED}{product}/{split}", ("they were rejected",), len(shards)))
            elif shards:
                found.append(Todo(f"{product}/{split}", self.reasons(shards[0]), len(shards)))
        return found

    def tidy(self, failed: Sequence[Reject], most: int | None = MOST_LISTED) -> Outcome:
        """After all is made: delete what does not belong to today's sources, and count what was lost.

        Of the shards that `failed`, those of other splits are another stage's. The first `most` rejected utterances
        of each split are listed, or all of them.
        """
        self.store.delete_temporary()
        parts = {}
        unmade = {reject.id for reject in failed}
        for split, index in self.sources.items():
            shards = [Shard(split, number) for number in index.numbers.tolist()]
            made = np.array([shard.name not in unmade for shard in shards], bool)
            self.store.keep_only(split, [shard for shard, is_made in zip(shards, made, strict=True) if is_made])
            rows, rejected = index.column("rows"), int(self.store.index(split).column("rejects").sum())
            whole = [reject for reject in failed if reject.id.partition("/")[0] == split]
            lost = int(rows[~made].sum()) + rejected
            listed = [*whole, *islice(self.store.each_reject(split), most)]
            parts[split] = SplitOutcome(listed, len(whole) + rejected, lost, int(rows.sum()))
        return Outcome(parts)

    def drop_outdated(self) -> None:
        """Delete shards that nothing needs today and that would not be made from the same today."""
        held = [split for split in self.splits if self.store.shards(split)]
        outdated = set(self.unfinished()) if held else set()
        for split in held:
            shards = [Shard(split, number) for number in self.sources[split].numbers.tolist()]
            self.store.keep_only(split, [shard for shard in shards if shard not in outdated])
