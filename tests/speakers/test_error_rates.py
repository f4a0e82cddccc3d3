"""Equal error rate and detection cost: closed forms, brute force, and scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import det_curve

from ssl_asr.speakers.error_rates import DetectionCost, equal_error_rate, least_cost, operating_points

trials = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda found: len({target for _, target in found}) == 2
)


def arrays(found) -> tuple[np.ndarray, np.ndarray]:
    scores, target = zip(*found, strict=True)
    return np.array(scores, np.float64), np.array(target)


@given(trials)
def test_points_are_those_of_counting_at_every_threshold(found):
    scores, target = arrays(found)
    points = operating_points(scores, target)
    thresholds = [*sorted({*scores.tolist()}), np.inf]
    assert points.misses == pytest.approx([(scores[target] < each).mean() for each in thresholds])
    assert points.false_alarms == pytest.approx([(scores[~target] >= each).mean() for each in thresholds])


@given(trials, st.randoms(use_true_random=False))
def test_a_weight_is_that_many_trials(found, random):
    scores, target = arrays(found)
    times = np.array([random.randint(1, 3) for _ in found])
    weighted = operating_points(scores, target, times.astype(np.float64))
    repeated = operating_points(np.repeat(scores, times), np.repeat(target, times))
    assert weighted.misses == pytest.approx(repeated.misses)
    assert equal_error_rate(weighted) == pytest.approx(equal_error_rate(repeated))


def test_normal_scores_have_the_rates_of_their_distribution():
    random = np.random.default_rng(1)
    scores = np.concatenate([random.normal(2, 1, 40000), random.normal(0, 1, 60000)])
    target = np.arange(100000) < 40000
    points = operating_points(scores, target)
    assert equal_error_rate(points) == pytest.approx(norm.sf(1), abs=0.003)
    cost = DetectionCost(0.2, 1.0, 1.0)
    grid = np.linspace(-2, 5, 7001)
    best = min(0.2 * norm.cdf(grid - 2) + 0.8 * norm.sf(grid)) / 0.2
    assert least_cost(points, cost) == pytest.approx(best, abs=0.01)


def test_extremes():
    target = np.array([False, False, True, True])
    right = operating_points(np.array([0.0, 1, 2, 3]), target)
    wrong = operating_points(np.array([2.0, 3, 0, 1]), target)
    same = operating_points(np.ones(4), target)
    assert (equal_error_rate(right), least_cost(right)) == (0, 0)
    assert (equal_error_rate(wrong), least_cost(wrong)) == (1, 1)
    assert (equal_error_rate(same), least_cost(same)) == (0.5, 1)


def test_agrees_with_scikit_learn():
    random = np.random.default_rng(2)
    target = random.random(500) < 0.3
    scores = np.round(random.normal(0, 1, 500) + target, 2)
    points = operating_points(scores, target)
    false_alarms, misses, _ = det_curve(target, scores)
    ours = set(zip(np.round(points.false_alarms, 9), np.round(points.misses, 9), strict=True))
    assert set(zip(np.round(false_alarms, 9), np.round(misses, 9), strict=True)) <= ours
    at = np.argmin(np.abs(false_alarms - misses))
    assert equal_error_rate(points) == pytest.approx((false_alarms[at] + misses[at]) / 2, abs=0.01)
    assert least_cost(points) <= min(0.01 * misses + 0.99 * false_alarms) / 0.01 + 1e-12


def test_without_impostors_there_is_no_rate():
    assert np.isnan(equal_error_rate(operating_points(np.ones(3), np.ones(3, np.bool_))))
