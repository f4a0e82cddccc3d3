"""Count, sum and sum of squares of features: measured for each shard, added up into global mean and variance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore

# Networks are normalised by this split alone: so unlabeled speech that is added leaves the teacher as it is.
NORMALISED_BY = "labeled"
# A bin that never changes has deviation 0, which must not be divided by.
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Sums:
    """Of `count` frames: their sum and the sum of their squares, each float64 [bins]."""

    count: int
    sum: npt.NDArray[np.float64]
    square_sum: npt.NDArray[np.float64]

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.count + other.count, self.sum + other.sum, self.square_sum + other.square_sum)

    def mean_and_deviation(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Mean and standard deviation, each float32 [bins]."""
        mean = self.sum / self.count
        variance = np.maximum(self.square_sum / self.count - mean**2, LEAST_DEVIATION**2)
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)

    def to_statistics(self) -> dict[str, Any]:
        """Plain values for a ledger entry."""
        return {"count": self.count, "sum": self.sum.tolist(), "square_sum": self.square_sum.tolist()}


def sums_of(utterances: Iterable[npt.NDArray[np.floating]], bins: int) -> Sums:
    """Sums over all frames of `utterances`, each [frames, bins], in double precision."""
    total = Sums(0, np.zeros(bins), np.zeros(bins))
    for frames in utterances:
        exact = frames.astype(np.float64)
        total += Sums(len(exact), exact.sum(axis=0), np.square(exact).sum(axis=0))
    return total


def global_statistics(run: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and deviation [mel_bins] of the 10 ms features of the labeled audio of `run`."""
    store = ShardStore(run, features.STORE)
    count = float(np.nansum(store.index(NORMALISED_BY).statistic("count")))
    if not count:
        raise ValueError(f"{run} has no labeled features yet; run the frontend stage first")
    lists = store.lists(NORMALISED_BY)
    # Shard after shard, in their order, as the last bit depends on it.
    total, squares = (sum(lists.matrix(name)) for name in ("sum", "square_sum"))
    return Sums(int(count), np.asarray(total), np.asarray(squares)).mean_and_deviation()
