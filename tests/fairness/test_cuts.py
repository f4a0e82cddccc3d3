"""The best cut, against all cuts tried one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.fairness.cuts import Least, best_cuts, short_between, worse_groups

items = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 4)), min_size=1, max_size=9)


def brute_force(rows: list[tuple[int, int, int]], least: Least) -> float:
    found = [-1.0]
    for place in range(1, len(rows)):
        sides = [np.sum(side, axis=0) for side in (rows[:place], rows[place:])]
        if all(words >= least.words and speakers >= least.speakers for words, _, speakers in sides):
            rates = [errors / max(words, 1) for words, errors, _ in sides]
            found.append(abs(rates[0] - rates[1]))
    return max(found)


@settings(deadline=None)
@given(items, st.integers(0, 30), st.integers(0, 5))
def test_the_best_cut_is_the_best_of_all(rows, words, speakers):
    least = Least(words, speakers)
    columns = [np.array([column])[None, 0] for column in zip(*rows, strict=True)]
    (difference,), (place,) = best_cuts(*columns, least)
    assert np.isclose(difference, brute_force(rows, least))
    if difference >= 0:
        assert 1 <= place < len(rows)


@settings(deadline=None)
@given(items, st.integers(0, 10), st.integers(0, 3))
def test_worse_groups_are_the_worst_of_the_row_sorted_by_word_errors(rows, words, speakers):
    least = Least(words, speakers)
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    worse = worse_groups(*columns, least)
    by_rate = sorted(rows, key=lambda row: -row[1] / max(row[0], 1))
    if worse is None:
        assert brute_force(by_rate, least) < 0
        return
    rates = columns[1] / np.maximum(columns[0], 1)
    assert rates[worse].min() >= rates[~worse].max()
    for side in (worse, ~worse):
        assert columns[0][side].sum() >= words
        assert columns[2][side].sum() >= speakers


@settings(deadline=None)
@given(st.floats(-200, 400), st.floats(-200, 400))
def test_a_short_number_lies_between(first, second):
    low, high = sorted((first, second))
    if low < high:
        assert low < short_between(low, high) <= high
    assert short_between(37.389, 37.42) == 37.4
