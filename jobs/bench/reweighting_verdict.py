"""What weights change against equal ones, over seeds and talkers, and what follows from it for `reweighting`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.bench.accent_trials import FIGURES, Float, Verified
from ssl_asr.studies.verdict import Verdict

LEAST_SEEDS, LEVEL = 3, 0.05
_LIMITS = (0.025, 0.975)


@dataclass(frozen=True)
class Change:
    """Of one figure against equal weights, in shares (-0.01 is a point less), seed by seed.

    `interval` is of the mean over seeds, at 95 %, over talkers; None where none can be drawn. `relative` is the
    change of the mean over seeds: -0.1 is a tenth less.
    """

    seeds: Sequence[float]
    interval: tuple[float, float] | None
    relative: float

    @property
    def mean(self) -> float:
        return statistics.fmean(self.seeds)

    @property
    def fell(self) -> bool:
        """In every seed, and beyond what the choice of talkers explains; never with less than three seeds."""
        is_sure = self.interval is not None and self.interval[1] < 0
        return is_sure and len(self.seeds) >= LEAST_SEEDS and max(self.seeds) < 0

    @property
    def rose(self) -> bool:
        is_sure = self.interval is not None and self.interval[0] > 0
        return is_sure and len(self.seeds) >= LEAST_SEEDS and min(self.seeds) > 0


def changes(found: Sequence[Verified], plain: Sequence[Verified]) -> dict[str, Change]:
    """By figure; both in the order of the seeds."""
    told = {}
    for number, name in enumerate(FIGURES):
        pairs = [(getattr(one.rates, name), getattr(other.rates, name)) for one, other in _pairs(found, plain)]
        drawn = np.mean(
            [one.drawn_rf[:, number] - other.drawn_rf[:, number] for one, other in _pairs(found, plain)], 0
        )
        before = statistics.fmean(other for _, other in pairs)
        after = statistics.fmean(one for one, _ in pairs)
        relative = after / before - 1 if before else 0.0
        told[name] = Change([one - other for one, other in pairs], _interval(drawn), relative)
    return told


def _pairs(found: Sequence[Verified], plain: Sequence[Verified]) -> list[tuple[Verified, Verified]]:
    return list(zip(found, plain, strict=True))


def _interval(drawn_r: Float) -> tuple[float, float] | None:
    known = drawn_r[~np.isnan(drawn_r)]
    if len(known) < len(drawn_r) / 2:
        return None
    low, high = np.quantile(known, _LIMITS)
    return float(low), float(high)


def has_gap(p: Sequence[float]) -> bool:
    """Whether the gap with equal weights is more than chance, by its p in each seed."""
    return len(p) >= LEAST_SEEDS and sum(each < LEVEL for each in p) >= 2 * len(p) / 3


def verdict_of(found: Mapping[str, Change], control: Change, p: Sequence[float]) -> Verdict:
    """Of one form; `control` is what group-DRO changes in the gap, `p` is of the gap with equal weights by seed."""
    eer, gap, deviation = (found[name] for name in FIGURES)
    if eer.rose:
        return "not"
    if not has_gap(p):
        return "can't tell"
    if gap.fell and max(eer.mean, deviation.mean) < 0:
        return "reproduced"
    if gap.rose or (control.fell and max(eer.mean, gap.mean) >= 0):
        return "not"
    return "can't tell"
