"""Whether two systems differ by more than chance, with speakers as the independent units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.evaluation.scoring import ScoredUtterance


@dataclass(frozen=True)
class SpeakerTest:
    """For how many of `speakers` the candidate makes fewer errors and for how many more; `p` is two-sided."""

    speakers: int
    fewer: int
    more: int
    p: float


def speaker_test(baseline: Sequence[ScoredUtterance], candidate: Sequence[ScoredUtterance]) -> SpeakerTest:
    """Of two systems on the same utterances, in any order."""
    differences: Counter[str] = Counter()
    for sign, scored in ((-1, baseline), (1, candidate)):
        for each in scored:
            differences[each.speaker] += sign * each.edits.errors
    found = np.array(list(differences.values()), np.int64)
    return SpeakerTest(len(found), int((found < 0).sum()), int((found > 0).sum()), sign_flip_p(found))


def sign_flip_p(differences: npt.NDArray[np.integer]) -> float:
    """The chance that a sum of `differences` [speakers] is as far from zero as theirs, if each sign is a coin's toss.

    That is Fisher's randomisation test of matched pairs ("The Design of Experiments", 1935). It is exact: the
    distribution of the sum is made speaker by speaker. With n speakers that differ it can't be below 2 / 2^n.
    """
    sizes = np.abs(differences[differences != 0])
    total = int(sizes.sum())
    chances, reached = np.zeros(2 * total + 1), 0  # of sums from -total to total
    chances[total] = 1.0
    for size in sizes.tolist():
        before = chances[total - reached : total + reached + 1].copy()
        chances[total - reached : total + reached + 1] = 0
        for shift in (-size, size):
            chances[total - reached + shift : total + reached + 1 + shift] += before / 2
        reached += size
    distance = abs(int(differences.sum()))
    far = np.abs(np.arange(-total, total + 1)) >= distance
    return min(float(chances[far].sum()), 1.0)
