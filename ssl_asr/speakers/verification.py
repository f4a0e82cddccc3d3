"""Verification over all speakers and by group, with intervals that draw whole speakers.

Trials of a group are those in which both the claimed and the true speaker belong to it. Trials of the same speakers
depend on each other, in both roles. So the bootstrap draws speakers: a trial between two of them counts as often as
both were drawn together, a true claim as often as its speaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.bootstrap import Draws, Interval
from ssl_asr.speakers.error_rates import equal_error_rate, least_cost, operating_points
from ssl_asr.speakers.trials import Bool, Trials

LEAST_FOR_INTERVAL = 5  # speakers: of less, too many samples have no impostor
_LIMITS = (0.025, 0.975)
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VerificationRates:
    """Of one group, or of all. Rates are shares: 0.1 is 10 %; `interval` is that of `eer` over speakers."""

    name: str
    speakers: int
    true_claims: int
    impostors: int
    eer: float
    interval: Interval | None
    min_dcf: float


@dataclass(frozen=True)
class VerificationResults:
    """`gap` is the highest equal error rate of a group less the lowest, `deviation` their population deviation.

    Both are None with less than two groups; their intervals are over speakers of all groups. `single` speakers have
    one utterance, and speakers of the group None have no value of the tag: they count in `everything` alone.
    """

    everything: VerificationRates
    groups: Sequence[VerificationRates]
    gap: float | None
    gap_interval: Interval | None
    deviation: float | None
    deviation_interval: Interval | None
    single: int


@dataclass(frozen=True)
class _Part:
    """The trials [trials] of a group of speakers [speakers]."""

    name: str
    speakers: Bool
    trials: Bool


def verification_results(
    scores_n: Float, trials: Trials, groups: Sequence[str | None], draws: Draws
) -> VerificationResults:
    """`groups` [speakers] are those of `trials.speakers`. A group of one speaker has no rate and is left out."""
    everything, *parts = _parts(trials, groups)
    drawn_rp = _drawn(scores_n, trials, [everything, *parts], draws)
    rates = [
        _rates(scores_n, trials, part, drawn) for part, drawn in zip([everything, *parts], drawn_rp.T, strict=True)
    ]
    gap = deviation = gap_interval = deviation_interval = None
    if len(parts) > 1:
        eers = np.array([each.eer for each in rates[1:]])
        gap, deviation = float(np.ptp(eers)), float(eers.std())
        if all(part.speakers.sum() >= LEAST_FOR_INTERVAL for part in parts):
            gap_interval = _interval(gap, np.ptp(drawn_rp[:, 1:], axis=1))
            deviation_interval = _interval(deviation, drawn_rp[:, 1:].std(axis=1))
    return VerificationResults(rates[0], rates[1:], gap, gap_interval, deviation, deviation_interval, trials.single)


def _parts(trials: Trials, groups: Sequence[str | None]) -> list[_Part]:
    """All, then the groups by name."""
    assert len(groups) == len(trials.speakers), "one group a speaker, or None"
    names = sorted({name for name in groups if name is not None})
    found = [_Part("all", np.ones(len(groups), np.bool_), np.ones(len(trials.tests), np.bool_))]
    for name in names:
        inside = np.array([group == name for group in groups])
        part = _Part(name, inside, inside[trials.claimed] & inside[trials.spoken_by])
        if (part.trials & ~trials.is_target).any():
            found.append(part)
    return found


def _rates(scores_n: Float, trials: Trials, part: _Part, drawn_r: Float) -> VerificationRates:
    is_target = trials.is_target[part.trials]
    points = operating_points(scores_n[part.trials], is_target)
    eer, speakers = equal_error_rate(points), int(part.speakers.sum())
    return VerificationRates(
        name=part.name,
        speakers=speakers,
        true_claims=int(is_target.sum()),
        impostors=int((~is_target).sum()),
        eer=eer,
        interval=_interval(eer, drawn_r) if speakers >= LEAST_FOR_INTERVAL else None,
        min_dcf=least_cost(points),
    )


def _drawn(scores_n: Float, trials: Trials, parts: Sequence[_Part], draws: Draws) -> Float:
    """Equal error rates [replicates, parts] of speakers that are drawn with replacement."""
    random, speakers = np.random.default_rng(draws.seed), len(trials.speakers)
    order = np.argsort(scores_n, kind="stable")
    scores, target = scores_n[order], trials.is_target[order]
    claimed, spoken_by = trials.claimed[order], trials.spoken_by[order]
    inside = [part.trials[order] for part in parts]
    eers = np.empty((draws.replicates, len(parts)))
    for number in range(draws.replicates):
        times = random.multinomial(speakers, np.full(speakers, 1 / speakers)).astype(np.float64)
        weights = times[claimed] * np.where(target, 1, times[spoken_by])
        for place, rows in enumerate(inside):
            points = operating_points(scores[rows], target[rows], weights[rows])
            eers[number, place] = equal_error_rate(points)
    return eers


def _interval(value: float, drawn_r: Float) -> Interval | None:
    """Of the samples that have both kinds of trials; None where these are few."""
    known = drawn_r[~np.isnan(drawn_r)]
    if len(known) < len(drawn_r) / 2:
        return None
    low, high = np.quantile(known, _LIMITS)
    return Interval(value, float(low), float(high))
