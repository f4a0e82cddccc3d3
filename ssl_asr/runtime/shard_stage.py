"""One template for all that makes a shard of one store from the shard of the same number of another.

Features from the manifest, alignments and targets from features: `ShardMaker` is what an actor does with one shard,
`ShardStage` what the driver knows of all of them. Both derive a shard's parents by the same function, so the driver
finds done what an actor has published.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs
from ssl_asr.runtime.reject_list import MOST_LISTED, dev_and_test_first
from ssl_asr.runtime.stage_report import read_rejects
from ssl_asr.runtime.todo import REJECTED, Todo, reasons, upstream, waiting
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, parents_digest
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class SourceShard:
    """What is known of a source shard without reading it; `statistics` are those that parents depend on."""

    shard: Shard
    checksum: str
    statistics: Mapping[str, float] = field(default_factory=dict)


Parents = Callable[[SourceShard], Inputs]
_MENDED = "audio that was rejected"


def _none(split: str) -> Collection[int]:
    return ()


@dataclass(frozen=True)
class ShardContent:
    """What a shard is published with, as `ShardStore.publish` takes it."""

    schema: pa.Schema
    slabs: Sequence[pa.Table]
    slab_frames: Sequence[int]
    seconds: float
    metadata: Mapping[str, str]
    statistics: Mapping[str, Any] = field(default_factory=dict)
    rejects: Sequence[Reject] = ()
    column_encoding: Mapping[str, str] | None = None
    unbounded: Collection[str] = ()


class ShardMaker(ABC):
    """Called with a shard, makes and publishes it, unless it is there, made from the same."""

    def __init__(self, source: ShardStore, store: ShardStore, statistics: Sequence[str] = ()) -> None:
        """`statistics` of the source's entries are those that `parents` looks at."""
        self.source, self.store, self.statistics = source, store, statistics

    @abstractmethod
    def parents(self, source: SourceShard) -> Inputs: ...

    @abstractmethod
    def make(self, shard: Shard) -> ShardContent:
        """ValueError where the source shard cannot be used."""

    def is_done(self, shard: Shard, parents: Inputs) -> bool:
        return self.store.is_done(shard, parents)

    def __call__(self, shard: Shard) -> None:
        entry = self.source.entry(shard)
        assert entry is not None, "the stage lists finished shards"
        parents = self.parents(source_of_entry(entry, self.statistics))
        if self.is_done(shard, parents):
            return  # by an actor that died after it, with other shards of the same task to do
        made = self.make(shard)
        self.store.publish(
            shard,
            made.schema,
            made.slabs,
            made.slab_frames,
            seconds=made.seconds,
            parents=parents,
            metadata=made.metadata,
            column_encoding=made.column_encoding,
            unbounded=made.unbounded,
            statistics=made.statistics,
            rejects=made.rejects,
        )


def source_of_entry(entry: LedgerEntry, statistics: Sequence[str] = ()) -> SourceShard:
    return SourceShard(entry.shard, entry.checksum, {name: float(entry.statistics[name]) for name in statistics})


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


@dataclass(frozen=True)
class SplitOutcome:
    """`lost` of `rows` utterances have no row in the store, or none that is of use.

    `rejected` are utterances and whole shards; `rejects` lists all of these shards, and some of the utterances.
    """

    rejects: list[Reject]
    rejected: int
    lost: int
    rows: int


@dataclass(frozen=True)
class Outcome:
    splits: Mapping[str, SplitOutcome]

    @property
    def rejects(self) -> list[Reject]:
        return [reject for split in dev_and_test_first(self.splits) for reject in self.splits[split].rejects]

    @property
    def rejected(self) -> int:
        return sum(each.rejected for each in self.splits.values())

    @property
    def lost(self) -> int:
        return sum(each.lost for each in self.splits.values())

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.splits.values())

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Lost utterances and all, by split."""
        return {split: (each.lost, each.rows) for split, each in self.splits.items()}
