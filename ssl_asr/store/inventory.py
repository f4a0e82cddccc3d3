"""Lists the shards of each store of a run by the names of their files and ledger entries; reads no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_asr.store import filesystem, layout
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import Numbers, number_of
from ssl_asr.store.shards import ShardStore

# In the order in which each is made from the ones before; the second line has folders of stores.
_SINGLE = (layout.MANIFEST, layout.FEATURES)
_FOLDERS = (layout.ALIGNMENTS, layout.TARGETS, layout.PSEUDO_LABELS, layout.LATTICES)


@dataclass(frozen=True)
class Shards:
    """Shards as ascending numbers by split: eight bytes each, because there may be half a million."""

    numbers: dict[str, Numbers]

    def __len__(self) -> int:
        return sum(map(len, self.numbers.values()))

    def without(self, *others: Shards) -> Shards:
        """Those that are in none of `others`."""
        left = dict(self.numbers)
        for other in others:
            left = {split: np.setdiff1d(numbers, other.of(split)) for split, numbers in left.items()}
        return Shards(left)

    def of(self, split: str) -> Numbers:
        return self.numbers.get(split, np.zeros(0, np.int64))

    def sample(self, count: int) -> list[Shard]:
        """So many of them, at random, in order."""
        chosen = np.sort(np.random.default_rng().choice(len(self), count, replace=False))
        ends = np.cumsum([len(numbers) for numbers in self.numbers.values()])
        found = []
        for (split, numbers), end in zip(self.numbers.items(), ends.tolist(), strict=True):
            mine = chosen[(chosen < end) & (chosen >= end - len(numbers))] - (end - len(numbers))
            found += [Shard(split, int(number)) for number in numbers[mine]]
        return found

    def __iter__(self) -> Iterator[Shard]:
        return (Shard(split, int(number)) for split, numbers in self.numbers.items() for number in numbers)

    def __contains__(self, shard: object) -> bool:
        if not isinstance(shard, Shard):
            return False
        numbers = self.of(shard.split)
        at = int(np.searchsorted(numbers, shard.number))
        return at < len(numbers) and int(numbers[at]) == shard.number


@dataclass(frozen=True)
class StoreContents:
    """The content of one store: shards with a file, shards with an entry, and files that belong to no shard."""

    store: ShardStore
    files: Shards
    entries: Shards
    unexpected: tuple[str, ...]

    @property
    def kind(self) -> str:
        """ "manifest", "features", "alignments", "targets", "pseudo-labels" or "lattices"."""
        return layout.kind_of_store(self.store.name)


def inventory(run: str) -> list[StoreContents]:
    """All stores of the run, each after those that it is made from."""
    return [_held(ShardStore(run, name)) for name in store_names(run)]


def store_names(run: str) -> Iterator[str]:
    """Of all stores of the run, each after those that it is made from."""
    yield from _SINGLE
    for folder in _FOLDERS:
        below = [layout.store_folder(run, folder), layout.ledger_folder(run, folder)]
        names = {name for uri in below for name in filesystem.list_folders(uri)}
        yield from (f"{folder}/{name}" for name in sorted(names))


def _held(store: ShardStore) -> StoreContents:
    files, unexpected_files = _shards(layout.store_folder(store.root, store.name), layout.SHARD_SUFFIX)
    entries, unexpected_entries = _shards(layout.ledger_folder(store.root, store.name), layout.ENTRY_SUFFIX)
    return StoreContents(store, files, entries, (*unexpected_files, *unexpected_entries))


def all_shards(stores: Sequence[StoreContents]) -> Shards:
    """All shards of which any store has a file or an entry."""
    every = [shards.numbers for held in stores for shards in (held.files, held.entries)]
    splits = sorted({split for numbers in every for split in numbers})
    return Shards({split: np.unique(np.concatenate([n[split] for n in every if split in n])) for split in splits})


def _shards(folder: str, suffix: str) -> tuple[Shards, list[str]]:
    numbers: dict[str, list[int]] = {}
    unexpected = []
    for uri in filesystem.list_files(folder, suffix):
        split, _, name = uri[len(folder) + 1 :].partition("/")
        number = number_of(name, suffix)
        if number is None:
            unexpected.append(uri)
        else:
            numbers.setdefault(split, []).append(number)
    return Shards({split: np.sort(np.array(each, np.int64)) for split, each in numbers.items()}), unexpected
