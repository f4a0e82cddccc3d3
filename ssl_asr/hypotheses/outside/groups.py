"""The unlabeled shards in groups: as many words as a task holds in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.shuffle import MOST_BUCKETS
from ssl_asr.recipe.identity import digest
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.listing import Numbers

_LEAST_SHARDS = 128  # of two hours: some 2.5 million words, or 100 MB


@dataclass(frozen=True, eq=False)
class ShardGroups:
    """The finished shards of features; a shard's place is that among their ascending numbers.

    `size` is how many shards a group has; the last one may have fewer.
    """

    numbers: Numbers
    checksums: npt.NDArray[np.object_]

    size: int

    @classmethod
    def of(cls, index: LedgerIndex) -> ShardGroups:
        return cls(index.numbers, index.column("checksum"), max(_LEAST_SHARDS, -(-len(index) // MOST_BUCKETS)))

    @property
    def count(self) -> int:
        return -(-len(self.numbers) // self.size)

    def places(self, group: int) -> range:
        return range(group * self.size, min((group + 1) * self.size, len(self.numbers)))

    def place(self, number: int) -> int:
        return int(np.searchsorted(self.numbers, number))

    def inputs(self, group: int) -> dict[str, str]:
        """From what the ids of a group follow."""
        places = slice(self.places(group).start, self.places(group).stop)
        shards = zip(self.numbers[places].tolist(), self.checksums[places], strict=True)
        return {"shards": digest([f"{number} {checksum}" for number, checksum in shards]), "size": str(self.size)}
