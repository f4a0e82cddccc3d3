"""What an actor does with one shard of a store: makes it from the shard of the same number of another.

Features from the manifest, alignments and targets from features. `shard_stage.py` is the driver's side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class SourceShard:
    """What is known of a source shard without reading it; `statistics` are those that parents depend on."""

    shard: Shard
    checksum: str
    statistics: Mapping[str, float] = field(default_factory=dict)


def source_of_entry(entry: LedgerEntry, statistics: Sequence[str] = ()) -> SourceShard:
    return SourceShard(entry.shard, entry.checksum, {name: float(entry.statistics[name]) for name in statistics})


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
