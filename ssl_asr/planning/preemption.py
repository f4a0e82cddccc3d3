"""The cost of lost machines: work since the last checkpoint that is done again, and restarts."""

from __future__ import annotations

import math


def slowdown(period: float, kills_per_second: float, recovery: float) -> float:
    """Expected time over undisturbed time, with a checkpoint every `period` seconds of work.

    Kills are random (Poisson) and may also hit a recovery: e^(k R) (e^(k T) - 1) / (k T) for k kills a second,
    recovery R and period T (Daly, FGCS 2006, with checkpoints that cost no time).
    """
    if kills_per_second == 0:
        return 1.0
    expected = kills_per_second * period
    return math.exp(min(kills_per_second * recovery, 300)) * math.expm1(min(expected, 300)) / expected


def loss_share(period: float, kills_per_second: float, recovery: float) -> float:
    """Share of the time that is lost: 1 - 1 / stretch."""
    return 1 - 1 / slowdown(period, kills_per_second, recovery)


def recovery_share(kills_per_second: float, recovery: float) -> float:
    """Share of the time that is lost if every machine gives notice: a checkpoint is taken, and no work is lost."""
    return 1 - math.exp(-kills_per_second * recovery)
