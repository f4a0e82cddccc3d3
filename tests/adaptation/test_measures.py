"""Figures before and after against sums by hand; nothing changes where nothing did."""

import numpy as np
import pytest

from ssl_asr.adaptation.measures import ADAPTED, FIGURES, MAXIMUM, OVERALL, VARIANCE, Groups, changes
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.scored_table import Counts

LABELS = np.array([0, 0, 0, 1, 1, 1, 1])
WORDS = np.array([10, 20, 30, 40, 10, 20, 30])
GROUPS = Groups(["north", "south"], LABELS, np.array([True, False]))


def test_figures_are_those_by_hand() -> None:
    before, after = Counts(WORDS, np.array([5, 10, 15, 4, 1, 2, 3])), Counts(WORDS, np.array([2, 6, 7, 8, 2, 4, 6]))
    found = {each.name: each for each in changes(before, after, GROUPS, Draws(500, 1))}
    assert [*found] == [*FIGURES, "north", "south"]
    assert (found[ADAPTED].before, found[ADAPTED].after) == (0.5, 0.25)
    assert (found["south"].before, found["south"].after) == pytest.approx((0.1, 0.2))
    assert (found[OVERALL].before, found[OVERALL].after) == pytest.approx((40 / 160, 35 / 160))
    assert (found[MAXIMUM].before, found[MAXIMUM].after) == (0.5, 0.25)
    assert found[VARIANCE].before == pytest.approx(0.04)
    limits = found[ADAPTED].difference
    assert limits is not None
    assert limits.value == pytest.approx(-0.25)
    assert limits.low <= limits.value <= limits.high < 0


def test_the_same_system_differs_by_nothing_in_every_sample() -> None:
    counts = Counts(WORDS, np.array([5, 10, 15, 4, 1, 2, 3]))
    for each in changes(counts, counts, GROUPS, Draws(200, 3)):
        assert each.difference is not None
        assert (each.difference.low, each.difference.value, each.difference.high) == (0, 0, 0)


def test_a_cohort_of_two_speakers_has_no_interval() -> None:
    labels = np.array([0, 0, 1, 1, 1, 1, 1])
    groups = Groups(["north", "south"], labels, np.array([True, False]))
    counts = Counts(WORDS, WORDS // 10)
    found = {each.name: each.difference for each in changes(counts, counts, groups, Draws(50, 1))}
    assert found["north"] is None
    assert found[VARIANCE] is None
    assert found["south"] is not None
