"""The test over speakers against all signs counted one by one."""

from itertools import product

import numpy as np
import pytest

from ssl_asr.evaluation.scoring import Edits, ScoredUtterance
from ssl_asr.evaluation.significance import SpeakerTest, sign_flip_p, speaker_test


def counted(differences: np.ndarray) -> float:
    sums = [
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    return sum(each >= abs(differences.sum()) for each in sums) / len(sums)


@pytest.mark.parametrize("seed", range(20))
def test_the_chance_is_that_of_all_signs(seed: int) -> None:
    random = np.random.default_rng(seed)
    differences = random.integers(-9, 10, random.integers(1, 11))
    assert sign_flip_p(differences) == pytest.approx(counted(differences), abs=1e-12)


def test_no_difference_is_no_evidence() -> None:
    assert sign_flip_p(np.zeros(5, np.int64)) == 1.0
    assert sign_flip_p(np.zeros(0, np.int64)) == 1.0


def test_n_speakers_can_say_no_more_than_their_number() -> None:
    assert sign_flip_p(np.array([7, 1, 3, 2])) == pytest.approx(2 / 2**4)


def test_hundreds_of_speakers_are_exact_too() -> None:
    found = sign_flip_p(np.ones(400, np.int64) * np.where(np.arange(400) < 230, 1, -1))
    assert found == pytest.approx(0.0031, abs=1e-4)  # binomial, two-sided, of 230 or more in 400


def test_errors_are_added_up_for_each_speaker() -> None:
    def scored(*errors: tuple[str, int]) -> list[ScoredUtterance]:
        return [
            ScoredUtterance(str(number), str(number), "test", "clean", Edits(10, 0, 0, count), speaker)
            for number, (speaker, count) in enumerate(errors)
        ]

    baseline = scored(("ann", 5), ("bob", 3), ("ann", 1), ("eve", 2), ("tom", 4))
    candidate = scored(("ann", 1), ("bob", 4), ("ann", 4), ("eve", 2), ("tom", 1))
    assert speaker_test(baseline, candidate) == SpeakerTest(4, fewer=2, more=1, p=pytest.approx(0.75))
