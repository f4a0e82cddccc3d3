"""The ledger of a whole run, through the indexes of its stores: where `status`, `failed` and the report look."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_asr.store.inventory import Shards, store_names
from ssl_asr.store.layout import kind_of_store
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class StoreIndex:
    """The finished shards of one store by split."""

    store: ShardStore
    splits: dict[str, LedgerIndex]

    @property
    def kind(self) -> str:
        """ "manifest", "features", "alignments", "targets", "pseudo-labels" or "lattices"."""
        return kind_of_store(self.store.name)

    @property
    def shards(self) -> Shards:
        return Shards({split: index.numbers for split, index in self.splits.items()})

    def total(self, column: str) -> float:
        """Over all shards; "rows", "frames", "seconds" or "rejects"."""
        return float(sum(index.column(column).sum() for index in self.splits.values()))

    def only(self, splits: Collection[str]) -> StoreIndex:
        return StoreIndex(self.store, {split: index for split, index in self.splits.items() if split in splits})

    def without(self, done: StoreIndex | None) -> StoreIndex:
        """The shards that `done` has not finished."""
        finished = {} if done is None else done.shards.numbers
        none = np.zeros(0, np.int64)
        left = {
            split: LedgerIndex(index.table.filter(~np.isin(index.numbers, finished.get(split, none))))
            for split, index in self.splits.items()
        }
        return StoreIndex(self.store, left)


def run_index(run: str) -> list[StoreIndex]:
    """Every store of the run, whatever its shards were made from; one without a finished shard is left out."""
    found = (store_index(ShardStore(run, name)) for name in store_names(run))
    return [each for each in found if each.splits]


def store_index(store: ShardStore) -> StoreIndex:
    indexes = ((split, store.index(split)) for split in store.splits())
    return StoreIndex(store, {split: index for split, index in indexes if len(index)})


def shards_in_any(stores: Sequence[StoreIndex]) -> int:
    """How many shards are finished in at least one of `stores`."""
    numbers: dict[str, list[np.ndarray]] = {}
    for each in stores:
        for split, index in each.splits.items():
            numbers.setdefault(split, []).append(index.numbers)
    return sum(len(np.unique(np.concatenate(parts))) for parts in numbers.values())
