"""Choice of the scales of the acoustic score and of the prior in it, on the dev split.

The search decodes little: all of the recipe's kappas with the usual prior scale, then all prior scales with the best
kappa, then, where another prior scale is better, kappa again from there. If the best kappa is at an end of what was
tried, the search goes on beyond it in geometric steps, so no good kappa is missed because the recipe's list ends
before it. `MOST_STEPS` bounds this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.decoding.scores import Scales

MOST_STEPS = 6  # beyond either end of the recipe's kappas
_STEP = (1.1, 2.0)  # least and largest ratio of two kappas beyond the recipe's
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

    def ladder(self) -> list[float]:
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
    if wanted := [Scales(kappa, prior) for prior in grid.priors if Scales(kappa, prior) not in tried]:
        return wanted
    at_kappa = {Scales(kappa, prior): tried[Scales(kappa, prior)] for prior in grid.priors}
    return _along_kappa(tried, grid, [kappa], best_scales(at_kappa, grid).prior)


def best_scales(tried: Tried, grid: Grid) -> Scales:
    """Those with the lowest word error rate, whatever the order.

    Of equals, the prior scale closest to the usual one counts, then a kappa of the recipe's, then the smallest kappa.
    """
    usual, given = grid.usual_prior, set(grid.kappas)
    return min(tried, key=lambda each: (tried[each], abs(each.prior - usual), each.kappa not in given, each))


def is_at_bound(best: Scales, grid: Grid) -> bool:
    """Whether the search was not allowed to go beyond the best kappa, although a better one may be there."""
    ladder = grid.ladder()
    return len(ladder) > 1 and best.kappa in (ladder[0], ladder[-1])


def _along_kappa(tried: Tried, grid: Grid, begin: Sequence[float], prior: float) -> list[Scales]:
    """The kappas of `begin`; once these are tried, those beside the best that are not."""
    here = _with_prior(tried, prior)
    wanted = [Scales(kappa, prior) for kappa in sorted(set(begin))]
    if all(each in here for each in wanted):
        ladder = grid.ladder()
        place = ladder.index(best_scales(here, grid).kappa)
        wanted = [Scales(kappa, prior) for kappa in ladder[max(place - 1, 0) : place + 2]]
    return [each for each in wanted if each not in here]


def _with_prior(tried: Tried, prior: float) -> dict[Scales, float]:
    return {each: rate for each, rate in tried.items() if each.prior == prior}


def _ratio(low: float, high: float) -> float:
    return min(max(high / low, _STEP[0]), _STEP[1])


def _rounded(kappa: float) -> float:
    """Three digits: a kappa is part of paths and tables."""
    return float(f"{kappa:.3g}")
