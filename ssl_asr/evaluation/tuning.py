"""Choice of the scales of the acoustic score and of the prior in it, on the dev split.

The search decodes little: all of the recipe's kappas with the usual prior scale, then all prior scales with the best
kappa, then, where another prior scale is better, kappa again from there. If the best is at an end of what was tried,
the search goes on beyond it, so nothing good is missed because the recipe's list ends before it: kappas in geometric
steps, at most `MOST_STEPS`, and prior scales in equal steps between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.decoding.scores import Scales

MOST_STEPS = 6  # beyond either end of the recipe's kappas
_STEP = (1.1, 2.0)  # least and largest ratio of two kappas beyond the recipe's
_PRIOR_STEP = 0.05  # least step of prior scales beyond the recipe's
Tried = Mapping[Scales, float]  # word error rates on dev


@dataclass(frozen=True)
class Grid:
    """What the recipe asks for: `evaluate.kappas` and `evaluate.prior_scales`, in any order."""

    kappas: Sequence[float]
    priors: Sequence[float]

    @property
    def usual_prior(self) -> float:
        """The prior scale that the search begins with: 1, or what is closest to it."""
        return min(self.priors, key=lambda prior: (abs(prior - 1), prior))

    def prior_ladder(self) -> list[float]:
        """All prior scales that may be tried, in order; of a single one, there are no others.

        More than the whole prior has no meaning, so none above 1 is there but the recipe's own.
        """
        steps = sorted(set(self.priors))
        if len(steps) == 1:
            return steps
        below, above = (max(step, _PRIOR_STEP) for step in (steps[1] - steps[0], steps[-1] - steps[-2]))
        lower = [_rounded(steps[0] - below * count) for count in range(1, math.ceil(steps[0] / below))]
        upper = [_rounded(steps[-1] + above * count) for count in range(1, math.ceil((1 - steps[-1]) / above))]
        return sorted({0.0, *lower, *steps, *upper, max(1.0, steps[-1])})

    def kappa_ladder(self) -> list[float]:
        """All kappas that may be tried, in order; of a single one, there are no others."""
        steps = sorted(set(self.kappas))
        if len(steps) == 1:
            return steps
        below, above = _ratio(steps[0], steps[1]), _ratio(steps[-2], steps[-1])
        powers = range(1, MOST_STEPS + 1)
        lower = [_rounded(steps[0] / below**power) for power in reversed(powers)]
        return [*lower, *steps, *(_rounded(steps[-1] * above**power) for power in powers)]


def next_scales(tried: Tried, grid: Grid) -> list[Scales]:
    """What to try next, after `tried`; empty at the end of the search. It depends on nothing else."""
    usual = grid.usual_prior
    if wanted := _along_kappa(tried, grid, grid.kappas, usual):
        return wanted
    kappa = best_scales(_with_prior(tried, usual), grid).kappa
    if wanted := _along_prior(tried, grid, kappa):
        return wanted
    return _along_kappa(tried, grid, [kappa], best_scales(_with_kappa(tried, kappa), grid).prior)


def best_scales(tried: Tried, grid: Grid) -> Scales:
    """Those with the lowest word error rate, whatever the order.

    Of equals, the prior scale closest to the usual one counts, then a kappa of the recipe's, then the smallest kappa.
    """
    usual, given = grid.usual_prior, set(grid.kappas)
    return min(tried, key=lambda each: (tried[each], abs(each.prior - usual), each.kappa not in given, each))


def is_at_bound(best: Scales, grid: Grid) -> bool:
    """Whether the search was not allowed to go beyond the best kappa, although a better one may be there."""
    ladder = grid.kappa_ladder()
    return len(ladder) > 1 and best.kappa in (ladder[0], ladder[-1])


def _along_kappa(tried: Tried, grid: Grid, begin: Sequence[float], prior: float) -> list[Scales]:
    """The kappas of `begin`; once these are tried, those beside the best that are not."""
    here = _with_prior(tried, prior)
    if wanted := [scales for kappa in sorted(set(begin)) if (scales := Scales(kappa, prior)) not in here]:
        return wanted
    beside = _beside(grid.kappa_ladder(), best_scales(here, grid).kappa)
    return [scales for kappa in beside if (scales := Scales(kappa, prior)) not in here]


def _along_prior(tried: Tried, grid: Grid, kappa: float) -> list[Scales]:
    """The recipe's prior scales; once these are tried, those beside the best that are not."""
    here = _with_kappa(tried, kappa)
    if wanted := [scales for prior in grid.priors if (scales := Scales(kappa, prior)) not in here]:
        return wanted
    beside = _beside(grid.prior_ladder(), best_scales(here, grid).prior)
    return [scales for prior in beside if (scales := Scales(kappa, prior)) not in here]


def _beside(ladder: Sequence[float], best: float) -> Sequence[float]:
    place = ladder.index(best)
    return ladder[max(place - 1, 0) : place + 2]


def _with_prior(tried: Tried, prior: float) -> dict[Scales, float]:
    return {each: rate for each, rate in tried.items() if each.prior == prior}


def _with_kappa(tried: Tried, kappa: float) -> dict[Scales, float]:
    return {each: rate for each, rate in tried.items() if each.kappa == kappa}


def _ratio(low: float, high: float) -> float:
    return min(max(high / low, _STEP[0]), _STEP[1])


def _rounded(scale: float) -> float:
    """Three digits: scales are part of paths and tables."""
    return float(f"{scale:.3g}")
