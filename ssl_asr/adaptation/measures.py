"""How well cohorts are understood before and after an adaptation, with intervals that draw whole speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.bootstrap import LEAST_SPEAKERS, Draws, Interval
from ssl_asr.fairness.scored_table import Counts, Int

FIGURES = ("adapted cohorts", "other speakers", "overall", "mean of cohorts", "maximum", "variance")
ADAPTED, OTHERS, OVERALL, MEAN, MAXIMUM, VARIANCE = FIGURES
_LIMITS = (0.025, 0.975)
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """The cohort of each speaker, as a number; `names` [cohorts], and which of them the model is adapted to."""

    names: Sequence[str]
    labels: Int
    adapted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Change:
    """A word error rate, or the variance of several, before and after; `difference` is after less before.

    Its 95 % interval is over speakers; None with too few of them.
    """

    name: str
    speakers: int
    before: float
    after: float
    difference: Interval | None

    @property
    def scale(self) -> float:
        """From shares to percent, and of the variance to squared points."""
        return 100.0**2 if self.name == VARIANCE else 100.0


def figures_of(words_rg: Int, errors_rg: Int, adapted: npt.NDArray[np.bool_]) -> Float:
    """FIGURES [samples, figures] of the sums of r samples over g cohorts; each cohort with words counts once."""
    rates_rg = errors_rg / np.maximum(words_rg, 1)
    parts = [_rate(words_rg[:, which], errors_rg[:, which]) for which in (adapted, ~adapted)]
    everything = _rate(words_rg, errors_rg)
    return np.column_stack([*parts, everything, rates_rg.mean(axis=1), rates_rg.max(axis=1), rates_rg.var(axis=1)])


def changes(before: Counts, after: Counts, groups: Groups, draws: Draws) -> list[Change]:
    """FIGURES first, then each cohort. Speakers are drawn within their cohorts, the same ones before and after."""
    cohorts, labels = len(groups.names), groups.labels
    sizes = np.bincount(labels, minlength=cohorts)
    assert sizes.min() > 0, "every cohort has a speaker"
    drawn = _drawn_sums(before, after, labels, draws)
    now = [counts.by_label(labels, cohorts) for counts in (before, after)]
    values = [figures_of(each.words[None], each.errors[None], groups.adapted)[0] for each in now]
    samples = [figures_of(words, errors, groups.adapted) for words, errors in drawn]
    inside = int(sizes[groups.adapted].sum())
    spoken = [inside, len(labels) - inside, *[len(labels)] * 4]
    least = [*spoken[:2], *[int(sizes.min())] * 4]  # speakers of which an interval draws
    pairs = list(zip(*values, strict=True)) + list(zip(now[0].rates, now[1].rates, strict=True))
    differences = samples[1] - samples[0]
    rates = [errors / np.maximum(words, 1) for words, errors in drawn]
    differences = np.concatenate([differences, rates[1] - rates[0]], axis=1)
    return [
        Change(name, count, float(pair[0]), float(pair[1]), _interval(pair, differences[:, place], fewest))
        for place, (name, count, pair, fewest) in enumerate(
            zip([*FIGURES, *groups.names], spoken + sizes.tolist(), pairs, least + sizes.tolist(), strict=True)
        )
    ]


def _interval(pair: tuple[float, float], differences: Float, fewest: int) -> Interval | None:
    if fewest < LEAST_SPEAKERS:
        return None
    low, high = np.quantile(differences, _LIMITS)
    return Interval(float(pair[1] - pair[0]), float(low), float(high))


def _drawn_sums(before: Counts, after: Counts, labels: Int, draws: Draws) -> list[tuple[Int, Int]]:
    """Words and errors [replicates, cohorts], before and after."""
    random, parts = np.random.default_rng(draws.seed), []
    for label in range(int(labels.max()) + 1):
        mine = np.flatnonzero(labels == label)
        times = random.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), draws.replicates)
        parts.append([times @ each[mine] for each in (before.words, before.errors, after.words, after.errors)])
    sums = [np.stack([part[place] for part in parts], axis=1) for place in range(4)]
    return [(sums[0], sums[1]), (sums[2], sums[3])]


def _rate(words_rg: Int, errors_rg: Int) -> Float:
    rates: Float = errors_rg.sum(axis=1) / np.maximum(words_rg.sum(axis=1), 1)
    return rates
