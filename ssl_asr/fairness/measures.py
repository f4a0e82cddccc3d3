"""How much worse some cohorts are understood than others, and how far that may be chance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.attributes import Known
from ssl_asr.fairness.chance import (
    gap_interval,
    interval_of,
    relative,
    share_reached,
    shuffled_figure,
    shuffled_rates,
    shuffles,
)
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.partition import Partition
from ssl_asr.fairness.results import Cohort, Gap, Part, Spread
from ssl_asr.fairness.scored_table import Bool, Counts, Int

LEAST_SHOWN = 2  # speakers in each half: no figure is of one speaker


@dataclass(frozen=True)
class Settings:
    """`replicates` of the bootstrap, `shuffles` of measured gaps, and `searches` in shuffled attributes."""

    least: Least = field(default_factory=Least)
    seed: int = 1
    replicates: int = 1000
    shuffles: int = 999
    searches: int = 99

    @property
    def draws(self) -> Draws:
        return Draws(self.replicates, self.seed)

    @property
    def shuffled(self) -> Draws:
        return Draws(self.shuffles, self.seed)


@dataclass(frozen=True)
class Found:
    """A partition with the cohort of each known speaker; `channels` number the speakers' test sets."""

    partition: Partition
    labels: Int
    searched: Bool
    counts: Counts
    channels: Int

    @property
    def in_bottom(self) -> Bool:
        """Of each speaker."""
        return self.partition.bottom[self.labels]


def gap_of(found: Found, known: Known, settings: Settings) -> Gap:
    held, bottom = found.counts.rows(~found.searched), found.in_bottom[~found.searched]
    channels = found.channels[~found.searched]
    low, high = held.rows(~bottom), held.rows(bottom)
    difference = high.wer - low.wer
    rates = shuffled_rates(held, bottom, np.zeros_like(channels), settings.shuffled)
    gaps = np.divide(rates[:, 0], rates[:, 1], out=np.full(len(rates), np.inf), where=rates[:, 1] > 0) - 1
    within = None
    if len(np.unique(channels)) > 1:
        inside = shuffled_rates(held, bottom, channels, settings.shuffled)
        within = share_reached(difference, inside[:, 0] - inside[:, 1])
    return Gap(
        value=relative(high.wer, low.wer),
        interval=gap_interval(high, low, settings.draws),
        p=share_reached(difference, rates[:, 0] - rates[:, 1]),
        shuffled=_finite(float(np.quantile(gaps, 0.95, method="inverted_cdf"))),
        p_within_channels=within,
        searched=_searched_gap(found.counts.rows(found.searched), found.in_bottom[found.searched]),
        searched_shuffled=_gap_of_shuffled_search(found, known, settings),
    )


def _gap_of_shuffled_search(found: Found, known: Known, settings: Settings) -> float | None:
    """The median gap that the search finds where the attribute has nothing to do with the speakers."""
    counts, attribute = found.counts.rows(found.searched), known.attribute.rows(found.searched)
    gaps = []
    for order in shuffles(np.zeros(len(counts.words), np.int64), Draws(settings.searches, settings.seed)):
        shuffled = attribute.rows(order)
        partition = shuffled.partition(counts, settings.least, settings.seed)
        if partition is not None:
            gap = _searched_gap(counts, partition.bottom[shuffled.labels(partition)])
            gaps.append(np.inf if gap is None else gap)
    return _finite(float(np.median(gaps))) if gaps else None


def _searched_gap(counts: Counts, bottom: Bool) -> float | None:
    return relative(counts.rows(bottom).wer, counts.rows(~bottom).wer)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def part_of(found: Found, inside: Bool, settings: Settings) -> Part:
    """Of the speakers `inside` [known speakers]."""
    held = found.counts.rows(inside & ~found.searched)
    return Part(
        speakers=len(held.words),
        words=int(held.words.sum()),
        wer=held.wer,
        interval=interval_of(held, settings.draws),
        wer_searched=found.counts.rows(inside & found.searched).wer,
        share_of_words=float(found.counts.words[inside].sum() / max(found.counts.words.sum(), 1)),
        share_of_speakers=float(inside.mean()),
    )


def cohorts_of(found: Found, settings: Settings) -> list[Cohort]:
    """Those with enough speakers in both halves, the worst in the searched half first."""
    halves = [found.labels[half] for half in (found.searched, ~found.searched)]
    sizes = np.minimum.reduce([np.bincount(each, minlength=len(found.partition.names)) for each in halves])
    shown = [
        Cohort(name, bool(bottom), part_of(found, found.labels == number, settings))
        for number, (name, bottom) in enumerate(zip(found.partition.names, found.partition.bottom, strict=True))
        if sizes[number] >= LEAST_SHOWN
    ]
    return sorted(shown, key=lambda cohort: -cohort.part.wer_searched)


def spread_of(found: Found, cohorts: list[Cohort], settings: Settings) -> Spread | None:
    """None of less than two cohorts."""
    if len(cohorts) < 2:
        return None
    names = {cohort.name for cohort in cohorts}
    shown = np.array([name in names for name in found.partition.names])
    counts, labels = found.counts.rows(~found.searched), found.labels[~found.searched]

    def variance(sums: Counts) -> float:
        return float(sums.rates[shown].var())

    value = variance(counts.by_label(labels, len(shown)))
    shuffled = shuffled_figure(counts, labels, variance, len(shown), settings.shuffled)
    worst = cohorts[0]
    return Spread(value, float(shuffled.mean()), share_reached(value, shuffled), worst.name, worst.part.wer)
