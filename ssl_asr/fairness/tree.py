"""The geographic tree: recursive cuts of latitude or longitude with the largest difference of word error rates.

After Trinh et al. (Interspeech 2022), who do not say when their tree stops. Here a region is cut on only where
shuffled positions give as large a difference in at most 5 % of the cases, as in conditional inference trees (Hothorn
et al. 2006). The first cut is always made: how far it may be chance is for the reader to see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ssl_asr.fairness.chance import share_reached
from ssl_asr.fairness.cuts import Float, Least, best_cuts, short_between
from ssl_asr.fairness.scored_table import Bool, Counts, Int

AXES = ("latitude", "longitude")
LEVEL = 0.05
_SHUFFLES = 99


@dataclass(frozen=True)
class Region:
    """Degrees from `low` on to below `high`, of latitude and of longitude; infinite where the region is open."""

    low: tuple[float, float] = (-math.inf, -math.inf)
    high: tuple[float, float] = (math.inf, math.inf)

    def holds(self, degrees_s2: Float) -> Bool:
        inside: Bool = np.all((degrees_s2 >= self.low) & (degrees_s2 < self.high), axis=1)
        return inside

    def halves(self, axis: int, at: float) -> tuple[Region, Region]:
        high, low = list(self.high), list(self.low)
        high[axis] = low[axis] = at
        return Region(self.low, (high[0], high[1])), Region((low[0], low[1]), self.high)


@dataclass(frozen=True)
class Cut:
    """`region` was cut `at` these degrees of an axis; `p` is the share of shuffles with as large a difference."""

    region: Region
    depth: int
    axis: int
    at: float
    p: float


@dataclass
class Tree:
    """Cuts, each before those inside it, and the regions that are left, both from south and west."""

    cuts: list[Cut] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def labels(self, degrees_s2: Float) -> Int:
        """The number of the region of each speaker."""
        inside = np.stack([region.holds(degrees_s2) for region in self.regions])
        assert (inside.sum(axis=0) == 1).all(), "regions cover the earth once"
        return inside.argmax(axis=0)


def grow(degrees_s2: Float, counts: Counts, least: Least, seed: int) -> Tree | None:
    """None where not even one cut leaves the least on both sides."""
    tree = Tree()
    _grow(tree, Region(), (degrees_s2, counts, least), path=1, seed=seed)
    return tree if tree.cuts else None


def _grow(tree: Tree, region: Region, within: tuple[Float, Counts, Least], *, path: int, seed: int) -> None:
    """`path` is 1 for the first cut; a region's halves have its path doubled, and one more."""
    degrees, counts, least = within
    inside = region.holds(degrees)
    part = counts.rows(inside)
    order = np.random.default_rng([seed, path]).permuted(
        np.broadcast_to(np.arange(len(part.words)), (_SHUFFLES, len(part.words))), axis=1
    )
    found = _best(degrees[inside], part, least)
    if found is None:
        tree.regions.append(region)
        return
    axis, at, difference = found
    shuffled = np.maximum.reduce(
        [_differences(degrees[inside], axis, part.words[order], part.errors[order], least)[0] for axis in (0, 1)]
    )
    p = share_reached(difference, shuffled)
    if p > LEVEL and path > 1:
        tree.regions.append(region)
        return
    depth = path.bit_length() - 1
    tree.cuts.append(Cut(region, depth, axis, at, p))
    halves = region.halves(axis, at)
    if p > LEVEL:
        tree.regions.extend(halves)
        return
    for number, half in enumerate(halves):
        _grow(tree, half, within, path=2 * path + number, seed=seed)


def _best(degrees_s2: Float, counts: Counts, least: Least) -> tuple[int, float, float] | None:
    """The axis, the degrees and the difference of the best cut of these speakers."""
    found = []
    for axis in (0, 1):
        (difference,), (place,) = _differences(degrees_s2, axis, counts.words[None], counts.errors[None], least)
        along = np.sort(degrees_s2[:, axis])
        if difference >= 0:
            found.append((axis, short_between(along[place - 1], along[place]), float(difference)))
    return max(found, key=lambda each: each[2], default=None)


def _differences(degrees_s2: Float, axis: int, words_ps: Int, errors_ps: Int, least: Least) -> tuple[Float, Int]:
    """Of p ways to give the speakers' words and errors to these positions, as `best_cuts`."""
    order = np.argsort(degrees_s2[:, axis], kind="stable")
    along = degrees_s2[order, axis]
    ones = np.ones_like(words_ps)
    return best_cuts(words_ps[:, order], errors_ps[:, order], ones, least, along[1:] > along[:-1])
