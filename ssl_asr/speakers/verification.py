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
_MOST_SHUFFLES = 499
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
class Disparity:
    """How far equal error rates of groups lie apart: `gap` is the highest less the lowest, `deviation` that of all.

    `interval` is that of the difference between these two groups, over speakers; None with too few. So it may hold
    zero. `deviation` is the population standard deviation. Each `p` is the share of shuffles of the groups over the
    speakers that reach the figure, and 5 % of the shuffles have a gap above `shuffled`.
    """

    highest: str
    lowest: str
    gap: float
    interval: Interval | None
    p: float
    shuffled: float
    deviation: float
    deviation_p: float


@dataclass(frozen=True)
class VerificationResults:
    """`disparity` is None with less than two groups.

    `single` speakers have one utterance and are in no trial. Speakers without a group count in `everything` alone.
    """

    everything: VerificationRates
    groups: Sequence[VerificationRates]
    disparity: Disparity | None
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
    found = _parts(trials, groups)
    parts = found[1:]
    drawn_rp = _drawn(scores_n, trials, found, draws)
    rates = [_rates(scores_n, trials, part, drawn) for part, drawn in zip(found, drawn_rp.T, strict=True)]
    disparity = None
    if len(parts) > 1:
        shuffled_rp = _shuffled(scores_n, trials, parts, draws)
        disparity = _disparity(rates[1:], drawn_rp[:, 1:], shuffled_rp)
    return VerificationResults(rates[0], rates[1:], disparity, trials.single)


def _disparity(rates: Sequence[VerificationRates], drawn_rp: Float, shuffled_rp: Float) -> Disparity:
    eers = np.array([each.eer for each in rates])
    high, low = int(eers.argmax()), int(eers.argmin())
    gap, deviation = float(np.ptp(eers)), float(eers.std())
    known_rp = shuffled_rp[~np.isnan(shuffled_rp).any(axis=1)]
    gaps = np.ptp(known_rp, axis=1)
    has_interval = min(rates[high].speakers, rates[low].speakers) >= LEAST_FOR_INTERVAL
    return Disparity(
        highest=rates[high].name,
        lowest=rates[low].name,
        gap=gap,
        interval=_interval(gap, drawn_rp[:, high] - drawn_rp[:, low]) if has_interval else None,
        p=_share_reached(gap, gaps),
        shuffled=float(np.quantile(gaps, 0.95)) if len(gaps) else gap,
        deviation=deviation,
        deviation_p=_share_reached(deviation, known_rp.std(axis=1)),
    )


def _share_reached(found: float, shuffled_r: Float) -> float:
    """The p-value of a permutation test: what was found counts as one of the shuffles."""
    return float((1 + (shuffled_r >= found - 1e-12).sum()) / (1 + len(shuffled_r)))


def _shuffled(scores_n: Float, trials: Trials, parts: Sequence[_Part], draws: Draws) -> Float:
    """Equal error rates [shuffles, parts] where the speakers of all groups are exchanged at random."""
    random = np.random.default_rng([draws.seed, 1])
    order = np.argsort(scores_n, kind="stable")
    scores, target = scores_n[order], trials.is_target[order]
    claimed, spoken_by = trials.claimed[order], trials.spoken_by[order]
    members = [np.flatnonzero(part.speakers) for part in parts]
    everybody, ends = np.concatenate(members), np.cumsum([len(each) for each in members])[:-1]
    eers = np.empty((min(draws.replicates, _MOST_SHUFFLES), len(parts)))
    for number in range(len(eers)):
        for place, chosen in enumerate(np.split(random.permutation(everybody), ends)):
            inside = np.zeros(len(trials.speakers), np.bool_)
            inside[chosen] = True
            rows = inside[claimed] & inside[spoken_by]
            eers[number, place] = equal_error_rate(operating_points(scores[rows], target[rows]))
    return eers


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
