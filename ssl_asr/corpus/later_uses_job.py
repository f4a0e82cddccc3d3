"""Finds the ids of one partition that several pieces of a split have: what an actor does."""

from __future__ import annotations

from ssl_asr.corpus.duplicates import later_uses
from ssl_asr.corpus.shuffle import ids_store, later_uses_store
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Shard
from ssl_asr.store.partitions import publish_partitions, read_partitions


class LaterUsesJob:
    """Called with a partition's number, publishes its later uses, partitioned by bucket."""

    def __init__(self, run: str, buckets: int, parents: Inputs) -> None:
        self.run, self.buckets, self.parents = run, buckets, parents

    def __call__(self, shard: Shard) -> None:
        store = ids_store(self.run)
        numbers = [each.number for each in store.shards(shard.split)]
        found = later_uses(read_partitions(store, shard.split, numbers, shard.number), numbers)
        publish_partitions(
            later_uses_store(self.run),
            shard,
            found,
            found["bucket"].to_numpy().astype("int64"),
            count=self.buckets,
            parents=self.parents,
        )
