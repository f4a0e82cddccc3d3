"""Finds the ids of one partition that several pieces of a split have: what an actor does."""

from __future__ import annotations

from collections.abc import Mapping

from ssl_asr.corpus.duplicates import later_uses
from ssl_asr.corpus.shuffle import ids_store, later_uses_store
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import Partitions, publish_partitions, read_partitions


class LaterUsesJob:
    """Called with a partition's number, publishes its later uses, partitioned by bucket.

    `parents` are those of each partition.
    """

    def __init__(self, run: str, split: str, buckets: int, parents: Mapping[Shard, Inputs]) -> None:
        self.run, self.buckets, self.parents = run, buckets, parents
        self.ids = Partitions.of(ids_store(run), split)

    def __call__(self, shard: Shard) -> None:
        store, numbers = ids_store(self.run), self.ids.files(shard.number)
        found = later_uses(read_partitions(store, shard.split, numbers, shard.number), numbers)
        publish_partitions(
            later_uses_store(self.run),
            shard,
            found,
            found["bucket"].to_numpy().astype("int64"),
            count=self.buckets,
            parents=self.parents[shard],
        )
