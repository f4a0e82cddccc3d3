"""Whether cohorts are no more than test sets or channels, whose recordings differ for other reasons too."""

from __future__ import annotations

import numpy as np

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.chance import share_reached, shuffles
from ssl_asr.fairness.results import ChannelCheck
from ssl_asr.fairness.scored_table import Int


def channel_check(labels: Int, channels: Int, draws: Draws) -> ChannelCheck | None:
    """Of the cohort and the channel of each speaker; None where all are of one channel or in one cohort."""
    _, cohorts = np.unique(labels, return_inverse=True)
    _, places = np.unique(channels, return_inverse=True)
    if not cohorts.max(initial=0) or not places.max(initial=0):
        return None
    found = cramers_v(cohorts, places)
    one = np.zeros(len(labels), np.int64)
    shuffled = np.array([cramers_v(cohorts, places[order]) for order in shuffles(one, draws)])
    return ChannelCheck(int(places.max()) + 1, found, share_reached(found, shuffled))


def cramers_v(first: Int, second: Int) -> float:
    """Of two numberings [speakers] from 0 on, each of two values or more: 0 if independent, 1 if one tells the other.

    With the correction of Bergsma (2013) for few speakers a value; 0 with less speakers than values.
    """
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    table = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    others = len(first) - 1
    squared = ((table - expected) ** 2 / expected).sum() / len(first) - (rows - 1) * (columns - 1) / others
    least = min(size - 1 - (size - 1) ** 2 / others for size in (rows, columns))
    return float(np.sqrt(max(squared, 0) / least)) if least > 0 else 0.0
