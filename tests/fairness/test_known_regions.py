"""The variance over known accents, over seeds that share talkers: by hand, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.bench.known_regions import Heard, changes_over_accents, heard_in, variance_interval
from ssl_asr.adaptation.measures import MAXIMUM, MEAN, VARIANCE
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.attributes import halves_of
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.measures import Settings
from ssl_asr.fairness.scored_table import Counts, speakers_of
from tests.fairness.made_up import table_of

DRAWS = Draws(500, 1)


def heard(before: list[int], after: list[int]) -> Heard:
    """Two accents of four talkers of 100 words each, with so many errors."""
    words = np.full(8, 100)
    names = [f"talker {number}" for number in range(8)]
    return Heard(names, ["a"] * 4 + ["b"] * 4, Counts(words, np.array(before)), Counts(words, np.array(after)))


def test_figures_by_hand() -> None:
    found = changes_over_accents(heard([10] * 4 + [30] * 4, [10] * 4 + [20] * 4))
    assert found == {
        MEAN: pytest.approx(15 / 20 - 1),
        MAXIMUM: pytest.approx(20 / 30 - 1),
        VARIANCE: pytest.approx(25 / 100 - 1),
    }


def test_the_interval_is_narrow_where_all_talkers_change_alike_and_wide_where_chance_decides() -> None:
    alike = heard([10] * 4 + [30] * 4, [10] * 4 + [20] * 4)
    assert variance_interval([alike, alike], DRAWS) == pytest.approx((-0.75, -0.75))
    unlike = heard([10] * 4 + [30] * 4, [10] * 4 + [0, 20, 40, 60])
    low, high = variance_interval([unlike], DRAWS) or (0.0, 0.0)
    assert low < -0.5 < 0.5 < high
    assert variance_interval([unlike, unlike], DRAWS) == pytest.approx((low, high))  # the same talkers
    assert variance_interval([], DRAWS) is None


def test_talkers_are_those_of_the_held_out_half_with_an_accent() -> None:
    tags = [{"accent": "ab"[number % 2]} if number < 24 else {} for number in range(30)]
    rates = [0.1 + 0.2 * (number % 2) for number in range(30)]
    before, after = table_of(rates, tags), table_of([0.1] * 30, tags)
    found = find_cohorts(before, "tag:accent", Settings(Least(50, 3), replicates=20, shuffles=19, searches=9))
    one = heard_in(before, after, found)
    speakers = speakers_of(before)
    rows, searched = halves_of(found.by, before, speakers, found.seed)
    assert [*one.names] == [speakers.names[row] for row in rows[~searched]]
    assert {*one.accents} == {"a", "b"}
    assert changes_over_accents(one)[VARIANCE] < -0.5
