"""The median and the 90th percentile, which latencies are reported by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Percentiles:
    """Of `count` values, in their unit; between two values interpolated linearly."""

    p50: float
    p90: float
    count: int


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """None of no value."""
    if not len(values):
        return None
    p50, p90 = np.quantile(np.asarray(values, np.float64), (0.5, 0.9))
    return Percentiles(float(p50), float(p90), len(values))
