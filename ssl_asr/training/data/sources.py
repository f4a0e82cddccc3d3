"""A source of training speech, labeled or unlabeled, as an endless stream of slabs.

The stream is one pass after another. Each pass is a random permutation that (seed, source, pass) fixes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ssl_asr.store.ledger import Shard
from ssl_asr.store.ledger_index import LedgerIndex

# Those of a cohort hold the slabs of another in which it speaks, and of these slabs the cohort's speakers alone. What
# is drawn from everywhere for each step comes from "batches", whose slabs are the steps.
SourceName = Literal["labeled", "unlabeled", "cohort-labeled", "cohort-unlabeled", "batches"]


@dataclass(frozen=True)
class SlabRef:
    """One row group of a features shard; `frames` are 10 ms frames.

    `sweep` is the pass over its source that it is read in; None outside of any pass, as for dev speech.
    """

    shard: Shard
    slab: int
    frames: int
    sweep: int | None = field(default=None, compare=False)  # it is the same slab in every pass

    @property
    def name(self) -> str:
        """The name in accounts: "unlabeled/000003:4"."""
        return f"{self.shard.name}:{self.slab}"


@dataclass(frozen=True, eq=False)
class Source:
    """`table` int32 [slabs, 3] holds shard number, slab and frames of all slabs of `split`.

    A million hours are eight million slabs, and every worker gets all of them: as objects they would need gigabytes.
    A pass hears one of `versions` versions of every recording; 1 where it hears all that is stored.
    """

    name: SourceName
    split: str
    table: npt.NDArray[np.int32]
    seed: int
    versions: int = 1

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[SlabRef]:
        return (self.slab(place) for place in range(len(self)))

    @property
    def frames(self) -> int:
        """10 ms frames of a pass; where versions of a recording differ in length, the mean over all draws."""
        return round(int(self.table[:, 2].sum(dtype=np.int64)) / self.versions)

    @property
    def shards(self) -> set[Shard]:
        return {Shard(self.split, number) for number in np.unique(self.table[:, 0]).tolist()}

    def only(self, shards: Collection[Shard]) -> Source:
        """The slabs of these shards."""
        numbers = [shard.number for shard in shards if shard.split == self.split]
        return replace(self, table=self.table[np.isin(self.table[:, 0], numbers)])

    def slab(self, place: int) -> SlabRef:
        """The slab at `place` in the order of shards and slabs."""
        number, slab, frames = self.table[place].tolist()
        return SlabRef(Shard(self.split, number), slab, frames)

    def at(self, position: int) -> SlabRef:
        """The slab at `position` of the endless stream."""
        sweep, place = divmod(position, len(self))
        return replace(self.slab(int(_permutation(self.name, len(self), self.seed, sweep)[place])), sweep=sweep)


@lru_cache(maxsize=8)
def _permutation(name: str, size: int, seed: int, sweep: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed_of(seed, name, sweep)).permutation(size)


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed that depends only on the parts."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def source_of(name: SourceName, split: str, finished: LedgerIndex, seed: int, versions: int = 1) -> Source:
    """All slabs of a split's finished feature shards."""
    return Source(name, split, finished.slabs(), seed, versions)
