"""Error rates of verification over all thresholds: equal error rate and the least detection cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoints:
    """Shares [points] of missed targets and accepted impostors, from a threshold that accepts all to one of none."""

    misses: Float
    false_alarms: Float


@dataclass(frozen=True)
class DetectionCost:
    """How often a claim is true in an application (VoxCeleb: 0.01), and what the errors cost (NIST SRE)."""

    target_share: float = 0.01
    miss: float = 1.0
    false_alarm: float = 1.0


def operating_points(scores_n: Float, is_target_n: Bool, weights_n: Float | None = None) -> OperatingPoints:
    """A claim is accepted from a threshold on; equal scores are accepted or refused together.

    `weights_n` says how often each trial counts. Both kinds of trials must count, else the shares are not numbers.
    """
    weights_n = np.ones(len(scores_n)) if weights_n is None else weights_n
    order = np.argsort(scores_n, kind="stable")
    sorted_n = scores_n[order]
    last_n = np.append(sorted_n[1:] != sorted_n[:-1], True)  # of equal scores
    below_targets, below_impostors = (
        np.concatenate([[0.0], np.cumsum(np.where(which, weights_n, 0)[order])[last_n]])
        for which in (is_target_n, ~is_target_n)
    )
    with np.errstate(invalid="ignore"):
        return OperatingPoints(
            below_targets / below_targets[-1], (below_impostors[-1] - below_impostors) / below_impostors[-1]
        )


def equal_error_rate(points: OperatingPoints) -> float:
    """Where misses and false alarms are the same share, on straight lines between points; nan if they are none."""
    above = points.misses - points.false_alarms  # rises from -1 to 1
    if np.isnan(above).any():
        return float("nan")
    after = int(np.argmax(above >= 0))
    before = after - 1
    part = -above[before] / (above[after] - above[before])
    return float(points.misses[before] + part * (points.misses[after] - points.misses[before]))


def least_cost(points: OperatingPoints, cost: DetectionCost | None = None) -> float:
    """minDCF: the cost at the best threshold, relative to accepting or refusing all, whichever is cheaper."""
    cost = cost or DetectionCost()
    misses, false_alarms = cost.miss * cost.target_share, cost.false_alarm * (1 - cost.target_share)
    costs = misses * points.misses + false_alarms * points.false_alarms
    return float(costs.min() / min(misses, false_alarms))
