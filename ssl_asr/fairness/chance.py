"""What chance makes of speakers' errors: shuffled attributes, and intervals that draw whole speakers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ssl_asr.evaluation.bootstrap import LEAST_SPEAKERS, Draws, Interval
from ssl_asr.fairness.cuts import Float
from ssl_asr.fairness.scored_table import Bool, Counts, Int

_LIMITS = (0.025, 0.975)
_DRAWN_AT_ONCE = 10**7  # speakers


def shuffles(strata: Int, draws: Draws) -> Iterator[Int]:
    """Random orders [speakers] that exchange speakers within each stratum alone."""
    random = np.random.default_rng(draws.seed)
    together = np.argsort(strata, kind="stable")
    for _ in range(draws.replicates):
        order = np.empty_like(together)
        order[together] = np.lexsort((random.random(len(strata)), strata))
        yield order


def share_reached(found: float, shuffled: Float) -> float:
    """The p-value of a permutation test: the share of shuffles that reach `found`, itself counted as one of them."""
    # As many errors and words, in another order of summation, are as far.
    return float((1 + (shuffled >= found - 1e-12).sum()) / (1 + len(shuffled)))


def drawn_rates(counts: Counts, draws: Draws) -> Float:
    """Word error rates [replicates] of as many speakers drawn with replacement from these."""
    random, speakers = np.random.default_rng(draws.seed), len(counts.words)
    at_once, parts = max(_DRAWN_AT_ONCE // speakers, 1), []
    for begin in range(0, draws.replicates, at_once):
        size = min(at_once, draws.replicates - begin)
        times = random.multinomial(speakers, np.full(speakers, 1 / speakers), size)
        parts.append((times @ counts.errors) / np.maximum(times @ counts.words, 1))
    return np.concatenate(parts)


def interval_of(counts: Counts, draws: Draws) -> Interval | None:
    """Of the word error rate over speakers; None with less than `LEAST_SPEAKERS`."""
    if len(counts.words) < LEAST_SPEAKERS:
        return None
    low, high = np.quantile(drawn_rates(counts, draws), _LIMITS)
    return Interval(counts.wer, float(low), float(high))


def relative(bottom: float, top: float) -> float | None:
    """How much higher `bottom` is; None where `top` is zero."""
    return bottom / top - 1 if top > 0 else None


def gap_interval(bottom: Counts, top: Counts, draws: Draws) -> Interval | None:
    """Of the relative gap; the speakers of each part are drawn by themselves. None with too few in one."""
    value = relative(bottom.wer, top.wer)
    if value is None or min(len(bottom.words), len(top.words)) < LEAST_SPEAKERS:
        return None
    below = drawn_rates(top, Draws(draws.replicates, draws.seed + 1))
    above = drawn_rates(bottom, draws)
    gaps = np.divide(above, below, out=np.full_like(above, np.inf), where=below > 0) - 1
    low, high = np.quantile(gaps, _LIMITS, method="inverted_cdf")
    return Interval(value, float(low), float(high)) if np.isfinite(high) else None


def shuffled_rates(counts: Counts, bottom: Bool, strata: Int, draws: Draws) -> Float:
    """The word error rates [shuffles, 2] of a bottom and a top part whose members were exchanged."""
    rates = np.empty((draws.replicates, 2))
    for number, order in enumerate(shuffles(strata, draws)):
        part = bottom[order]
        rates[number] = counts.rows(part).wer, counts.rows(~part).wer
    return rates


def shuffled_figure(
    counts: Counts, labels: Int, figure: Callable[[Counts], float], cohorts: int, draws: Draws
) -> Float:
    """A figure of the cohorts' sums [cohorts] for every shuffle of the labels [speakers]."""
    one = np.zeros(len(labels), np.int64)
    return np.array([figure(counts.by_label(labels[order], cohorts)) for order in shuffles(one, draws)])
