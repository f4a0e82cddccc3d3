"""Confidence intervals of word error rates: the bootstrap of Bisani & Ney (2004), resampling whole recordings.

Recordings are drawn with replacement, and all systems are scored on the same sample. So the difficulty of the sample
does not blur the difference between two systems. A recording that was also tested under noise is drawn with all its
copies, because their errors are correlated. Speakers are not drawn, because a test set has too few. So an interval
holds for other sentences of these talkers, not for other talkers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.scoring import ScoredUtterance

_LIMITS = (0.025, 0.975)
_REPLICATES_AT_ONCE = 200
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with the limits of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Relative reduction of the word error rate, and the share of samples with fewer errors of the candidate."""

    reduction: Interval
    p_better: float


def word_error_interval(utterances: Sequence[ScoredUtterance], replicates: int, seed: int) -> Interval:
    """Word error rate of one system with its percentile interval."""
    errors, words = _by_recording([utterances])
    drawn_errors, drawn_words = _draw(errors, words, replicates, seed)
    return _interval(_rate(errors.sum(1), words.sum())[0], _rate(drawn_errors, drawn_words)[:, 0])


def compare(
    baseline: Sequence[ScoredUtterance], candidate: Sequence[ScoredUtterance], replicates: int, seed: int
) -> Comparison:
    """1 - WER(candidate) / WER(baseline) on the same utterances in the same order."""
    assert [each.id for each in baseline] == [each.id for each in candidate], "systems scored on the same utterances"
    errors, words = _by_recording([baseline, candidate])
    drawn, _ = _draw(errors, words, replicates, seed)
    return Comparison(
        _interval(float(_reduction(errors.sum(1)[None])[0]), _reduction(drawn)),
        float((drawn[:, 1] < drawn[:, 0]).mean()),
    )


def _reduction(errors: Float64) -> Float64:
    """[samples, 2] errors to relative reductions; a baseline without an error counts as one with one error."""
    return 1 - np.where(errors[:, 0] == errors[:, 1], 1, errors[:, 1] / np.maximum(errors[:, 0], 1))


def _by_recording(systems: Sequence[Sequence[ScoredUtterance]]) -> tuple[Float64, Float64]:
    """Errors [systems, recordings] and words [recordings], summed over the conditions of a recording."""
    recordings = {each.recording: None for each in systems[0]}
    place = {recording: number for number, recording in enumerate(sorted(recordings))}
    errors, words = np.zeros((len(systems), len(place))), np.zeros(len(place))
    for each in systems[0]:
        words[place[each.recording]] += each.edits.words
    for number, utterances in enumerate(systems):
        for each in utterances:
            errors[number, place[each.recording]] += each.edits.errors
    return errors, words


def _draw(errors: Float64, words: Float64, replicates: int, seed: int) -> tuple[Float64, Float64]:
    """Errors [replicates, systems] and words [replicates] of resampled test sets."""
    generator = np.random.default_rng(seed)
    recordings = len(words)
    parts = []
    for begin in range(0, replicates, _REPLICATES_AT_ONCE):
        count = min(_REPLICATES_AT_ONCE, replicates - begin)
        times = generator.multinomial(recordings, np.full(recordings, 1 / recordings), size=count)
        parts.append(times @ np.vstack([errors, words]).T)
    drawn = np.concatenate(parts)
    return drawn[:, :-1], drawn[:, -1]


def _rate(errors: Float64, words: Float64 | float) -> Float64:
    return errors / np.maximum(words, 1)[..., None]


def _interval(value: float, drawn: Float64) -> Interval:
    low, high = np.quantile(drawn, _LIMITS)
    return Interval(float(value), float(low), float(high))
