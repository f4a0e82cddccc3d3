"""The cut of an ordered row of speakers, or of groups of them, with the largest difference of word error rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.fairness.scored_table import Bool, Int

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Least:
    """What must lie on each side of a cut, in the half of the speakers in which it is searched."""

    words: int = 500
    speakers: int = 5

    def told(self) -> str:
        return f"{self.speakers} speakers and {self.words:,} words"


def best_cuts(
    words_pn: Int, errors_pn: Int, speakers_pn: Int, least: Least, allowed: Bool | None = None
) -> tuple[Float, Int]:
    """For each of p orders of n items: the largest |WER of the first items - WER of the others|, and their number.

    `allowed` [n - 1] says behind which items a cut may lie. Where none leaves the least on both sides, the difference
    is -1.
    """
    orders, items = words_pn.shape
    if items < 2:
        return np.full(orders, -1.0), np.zeros(orders, np.int64)
    words, errors, speakers = (np.cumsum(each, axis=1) for each in (words_pn, errors_pn, speakers_pn))
    after = [each[:, -1:] - each[:, :-1] for each in (words, errors, speakers)]
    before = [each[:, :-1] for each in (words, errors, speakers)]
    differences = np.abs(before[1] / np.maximum(before[0], 1) - after[1] / np.maximum(after[0], 1))
    enough = (np.minimum(before[0], after[0]) >= least.words) & (np.minimum(before[2], after[2]) >= least.speakers)
    if allowed is not None:
        enough &= allowed
    differences = np.where(enough, differences, -1.0)
    places = differences.argmax(axis=1)
    return differences[np.arange(orders), places], places + 1


def worse_groups(words: Int, errors: Int, speakers: Int, least: Least) -> Bool | None:
    """Which of the groups [groups] are understood worse: of the best cut through the groups sorted by WER.

    None where no cut leaves the least on both sides.
    """
    order = np.argsort(-errors / np.maximum(words, 1), kind="stable")
    difference, place = best_cuts(words[None, order], errors[None, order], speakers[None, order], least)
    if difference[0] < 0:
        return None
    worse = np.zeros(len(words), np.bool_)
    worse[order[: place[0]]] = True
    return worse


def short_between(low: float, high: float) -> float:
    """A number of few digits above `low` and at most `high`."""
    middle = (low + high) / 2
    for digits in range(12):
        if low < (short := round(middle, digits)) <= high:
            return short
    return high
