"""The geographic tree's cuts as measured on the held-out half, its regions, and where speakers live, coarsely."""

from __future__ import annotations

import math

import numpy as np

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.chance import share_reached, shuffled_rates
from ssl_asr.fairness.cuts import Float
from ssl_asr.fairness.partition import Partition, Positions
from ssl_asr.fairness.regions import CutResult, Geography, Place, RegionBounds
from ssl_asr.fairness.scored_table import Bool, Counts
from ssl_asr.fairness.tree import AXES, Cut, Region

_SQUARES = 24  # across the longer side of the map
_LEAST_AT_PLACE = 2


def geography_of(
    positions: Positions, partition: Partition, searched: Bool, counts: Counts, draws: Draws
) -> Geography:
    assert partition.tree is not None, "a partition by places has a tree"
    cuts = [_measured(cut, positions.degrees, searched, counts, draws) for cut in partition.tree.cuts]
    regions = [_bounds(*each) for each in zip(partition.names, partition.tree.regions, strict=True)]
    return Geography(positions.west, cuts, regions, grid_of(positions.degrees))


def grid_of(degrees_s2: Float) -> list[Place]:
    """Squares with two speakers or more, from south and west: a map of them leads to no single speaker."""
    low = np.floor(degrees_s2.min(axis=0))
    size = max(float((degrees_s2.max(axis=0) - low).max()) / _SQUARES, 1e-6)
    squares, sizes = np.unique(((degrees_s2 - low) // size).astype(np.int64), axis=0, return_counts=True)
    middles = low + (squares + 0.5) * size
    return [
        Place(float(latitude), east_longitude(float(longitude)), int(speakers))
        for (latitude, longitude), speakers in zip(middles, sizes, strict=True)
        if speakers >= _LEAST_AT_PLACE
    ]


def east_longitude(degrees: float) -> float:
    """From -180 to 180."""
    return degrees if -180 <= degrees <= 180 else (degrees + 180) % 360 - 180


def _measured(cut: Cut, degrees_s2: Float, searched: Bool, counts: Counts, draws: Draws) -> CutResult:
    inside = cut.region.holds(degrees_s2)
    below = degrees_s2[:, cut.axis] < cut.at
    chosen = _difference(counts.rows(inside & searched), below[inside & searched])
    held, side = counts.rows(inside & ~searched), below[inside & ~searched]
    at = east_longitude(cut.at) if cut.axis == 1 else cut.at
    if min(side.sum(), (~side).sum()) < _LEAST_AT_PLACE:
        return CutResult(cut.depth, AXES[cut.axis], at, chosen, cut.p, None, None)
    found, sign = _difference(held, side), math.copysign(1, chosen)
    rates = shuffled_rates(held, side, np.zeros(len(side), np.int64), draws)
    p = share_reached(sign * found, sign * (rates[:, 0] - rates[:, 1]))
    return CutResult(cut.depth, AXES[cut.axis], at, chosen, cut.p, found, p)


def _difference(counts: Counts, below: Bool) -> float:
    return counts.rows(below).wer - counts.rows(~below).wer


def _bounds(name: str, region: Region) -> RegionBounds:
    (south, west), (north, east) = region.low, region.high
    return RegionBounds(name, _closed(south), _closed(north), _closed(west, around=True), _closed(east, around=True))


def _closed(degrees: float, around: bool = False) -> float | None:
    """None where a region is open."""
    if math.isinf(degrees):
        return None
    return east_longitude(degrees) if around else degrees
