"""What the interval of a comparison shows: which limits count, and the verdict by them."""

from __future__ import annotations

from typing import Literal

from ssl_asr.evaluation.error_rates import Reduction, WordErrors

Verdict = Literal["reproduced", "partly", "not", "can't tell"]


def limits_of(found: Reduction | WordErrors) -> tuple[float, float]:
    """Of the interval over speakers, or over recordings where there are too few speakers for one."""
    speakers = found.by_speaker
    if speakers.low is None or speakers.high is None:
        return found.low, found.high
    return speakers.low, speakers.high


def verdict_of(mean: float, low: float, high: float, at_least: float) -> Verdict:
    """From the mean over seeds and a 95 % interval: over speakers, or over seeds where it is of a stage's figure.

    "reproduced": a clear gain, of the size asked for on average. "partly": a clear gain, but smaller. "not": no clear
    gain, and the size asked for is outside the interval. "can't tell": no clear gain, but that size is possible too.

    Where `at_least` is below zero, a loss smaller than that is asked for, and "reproduced" needs all of the interval
    to be above it.
    """
    if at_least < 0 and low >= at_least:
        return "reproduced"
    if low > 0:
        return "reproduced" if mean >= at_least else "partly"
    return "can't tell" if high >= at_least else "not"
