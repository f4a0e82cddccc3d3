"""Lists the shards of each store of a run by the names of their files and ledger entries; reads no file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_asr.store import filesystem, layout
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import Numbers
from ssl_asr.store.shards import ShardStore

# In the order in which each is made from the ones before; the second line has folders of stores.
_SINGLE = (layout.MANIFEST, layout.FEATURES)
_FOLDERS = (layout.ALIGNMENTS, layout.TARGETS, layout.PSEUDO_LABELS, layout.LATTICES)
_NAME = re.compile(r"([^/]+)/([0-9]{6,18})")


@dataclass(frozen=True)
class Shards:
    """Shards as ascending numbers by split: eight bytes each, because there may be half a million."""

    numbers: dict[str, Numbers]

    def __len__(self) -> int:
        return sum(map(len, self.numbers.values()))

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
        numbers = self.numbers.get(shard.split, np.zeros(0, np.int64))
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


def whole_names(store: ShardStore) -> list[Shard]:
    """The shards that have both a file and an entry."""
    held = _held(store)
    return [shard for shard in held.files if shard in held.entries]


def all_shards(stores: Sequence[StoreContents]) -> Shards:
    """All shards of which any store has a file or an entry."""
    every = [shards.numbers for held in stores for shards in (held.files, held.entries)]
    splits = sorted({split for numbers in every for split in numbers})
    return Shards({split: np.unique(np.concatenate([n[split] for n in every if split in n])) for split in splits})


def _shards(folder: str, suffix: str) -> tuple[Shards, list[str]]:
    numbers: dict[str, list[int]] = {}
    unexpected = []
    for uri in filesystem.list_files(folder, suffix):
        match = _NAME.fullmatch(uri[len(folder) + 1 : -len(suffix)])
        shard = Shard(match[1], int(match[2])) if match else None
        if shard is not None and uri.endswith(f"/{shard.name}{suffix}"):
            numbers.setdefault(shard.split, []).append(shard.number)
        else:
            unexpected.append(uri)
    return Shards({split: np.sort(np.array(each, np.int64)) for split, each in numbers.items()}), unexpected
