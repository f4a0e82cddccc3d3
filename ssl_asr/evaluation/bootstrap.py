"""Confidence intervals of word error rates: the bootstrap of Bisani & Ney (2004), resampling whole blocks.

Blocks are drawn with replacement, and all systems are scored on the same sample. So the difficulty of the sample does
not blur the difference between two systems. A block is a recording, with all its copies under noise, because their
errors are correlated: such an interval holds for other sentences of these talkers. Or a block is a speaker with all
sentences: then the interval holds for other talkers like these. With few speakers it is too narrow: the bootstrap's
variance of a mean over n blocks is (n - 1) / n of the unbiased one. Below `LEAST_SPEAKERS` none is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.scoring import ScoredUtterance

_LIMITS = (0.025, 0.975)
_REPLICATES_AT_ONCE = 200
LEAST_SPEAKERS = 3
Block = Literal["recording", "speaker"]
Pair = tuple[Sequence[ScoredUtterance], Sequence[ScoredUtterance]]  # of baseline and candidate
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """How many test sets are drawn, and from which seed."""

    replicates: int
    seed: int


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


def word_error_interval(utterances: Sequence[ScoredUtterance], draws: Draws, block: Block = "recording") -> Interval:
    """Word error rate of one system with its percentile interval."""
    errors, words = _by_block([utterances], block)
    drawn_errors, drawn_words = _draw(errors, words, draws)
    return _interval(_rate(errors.sum(1), words.sum())[0], _rate(drawn_errors, drawn_words)[:, 0])


def compare(
    baseline: Sequence[ScoredUtterance],
    candidate: Sequence[ScoredUtterance],
    draws: Draws,
    block: Block = "recording",
) -> Comparison:
    """1 - WER(candidate) / WER(baseline) on the same utterances in the same order."""
    assert [each.id for each in baseline] == [each.id for each in candidate], "systems scored on the same utterances"
    errors, words = _by_block([baseline, candidate], block)
    drawn, _ = _draw(errors, words, draws)
    return Comparison(
        _interval(float(relative_reduction(errors.sum(1)[None])[0]), relative_reduction(drawn)),
        float((drawn[:, 1] < drawn[:, 0]).mean()),
    )


def compare_gains(part: Pair, other: Pair, draws: Draws, block: Block = "recording") -> Comparison:
    """The relative reduction in `part` of the test speech less that in `other`, on the same samples of blocks.

    `p_better` is the share of samples with the larger reduction in `part`.
    """
    for pair in (part, other):
        assert [each.id for each in pair[0]] == [each.id for each in pair[1]], "systems scored on the same utterances"
    errors, words = _by_block([*part, *other], block)
    drawn, _ = _draw(errors, words, draws)
    value, differences = (
        relative_reduction(each[:, :2]) - relative_reduction(each[:, 2:]) for each in (errors.sum(1)[None], drawn)
    )
    return Comparison(_interval(float(value[0]), differences), float((differences > 0).mean()))


def share_of_gain(
    baseline: Sequence[ScoredUtterance],
    candidate: Sequence[ScoredUtterance],
    topline: Sequence[ScoredUtterance],
    draws: Draws,
) -> Interval | None:
    """(WER(baseline) - WER(candidate)) / (WER(baseline) - WER(topline)), on the samples of `compare`.

    None where the interval of the topline's gain, the denominator, includes zero.
    """
    errors, words = _by_block([baseline, candidate, topline], "recording")
    drawn, _ = _draw(errors, words, draws)
    gains = drawn[:, :1] - drawn[:, 1:]
    if np.quantile(gains[:, 1], _LIMITS[0]) <= 0 or errors[0].sum() <= errors[2].sum():
        return None
    # In the few samples where the topline gains nothing, any gain of the candidate is an infinite share of it.
    shares = np.where(gains[:, 1] > 0, gains[:, 0] / np.maximum(gains[:, 1], 1), np.copysign(np.inf, gains[:, 0]))
    low, high = np.quantile(shares, _LIMITS, method="inverted_cdf")
    totals = errors.sum(1)
    return Interval(float((totals[0] - totals[1]) / (totals[0] - totals[2])), float(low), float(high))


def relative_reduction(errors: Float64) -> Float64:
    """[samples, 2] errors to relative reductions; a baseline without an error counts as one with one error."""
    return 1 - np.where(errors[:, 0] == errors[:, 1], 1, errors[:, 1] / np.maximum(errors[:, 0], 1))


def _by_block(systems: Sequence[Sequence[ScoredUtterance]], block: Block) -> tuple[Float64, Float64]:
    """Errors [systems, blocks] and words [blocks] of the first: sums of what a block says in all conditions."""
    names = sorted({getattr(each, block) for utterances in systems for each in utterances})
    place = {name: number for number, name in enumerate(names)}
    errors, words = np.zeros((len(systems), len(place))), np.zeros(len(place))
    for each in systems[0]:
        words[place[getattr(each, block)]] += each.edits.words
    for number, utterances in enumerate(systems):
        for each in utterances:
            errors[number, place[getattr(each, block)]] += each.edits.errors
    return errors, words


def _draw(errors: Float64, words: Float64, draws: Draws) -> tuple[Float64, Float64]:
    """Errors [replicates, systems] and words [replicates] of resampled test sets."""
    generator = np.random.default_rng(draws.seed)
    blocks = len(words)
    parts = []
    for begin in range(0, draws.replicates, _REPLICATES_AT_ONCE):
        count = min(_REPLICATES_AT_ONCE, draws.replicates - begin)
        times = generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=count)
        parts.append(times @ np.vstack([errors, words]).T)
    drawn = np.concatenate(parts)
    return drawn[:, :-1], drawn[:, -1]


def _rate(errors: Float64, words: Float64 | float) -> Float64:
    return errors / np.maximum(words, 1)[..., None]


def _interval(value: float, drawn: Float64) -> Interval:
    low, high = np.quantile(drawn, _LIMITS)
    return Interval(float(value), float(low), float(high))
