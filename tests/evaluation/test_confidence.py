"""Confidences: the curve finds what is right, and the measure is NIST's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from ssl_asr.evaluation.confidence import Curve, fit_curve, normalised_cross_entropy


def test_the_curve_of_posteriors_that_are_too_high_is_found():
    generator = np.random.default_rng(1)
    posteriors = generator.beta(3, 1, 20_000)
    durations = generator.gamma(4, 0.08, 20_000)
    right = generator.random(20_000) < expit(-2.5 + 0.7 * logit(posteriors) + 3 * durations)
    curve = fit_curve(posteriors, durations, right)
    assert (curve.intercept, curve.slope, curve.per_second) == pytest.approx((-2.5, 0.7, 3), abs=0.3)
    confidences = curve.confidences(posteriors, durations)
    sure = confidences > 0.5
    assert right[sure].mean() == pytest.approx(confidences[sure].mean(), abs=0.02)
    assert normalised_cross_entropy(posteriors, right) < 0 < normalised_cross_entropy(confidences, right)


@pytest.mark.parametrize("right", [np.ones(100, bool), np.arange(100) < 5, np.zeros(0, bool)])
def test_too_few_words_teach_no_curve(right):
    assert fit_curve(np.linspace(0, 1, len(right)), np.ones(len(right)), right) is None


def test_a_curve_that_would_fall_is_not_used():
    posteriors = np.linspace(0.01, 0.99, 200)
    assert fit_curve(posteriors, np.ones(200), posteriors < 0.5) is None


def test_normalised_cross_entropy_by_hand():
    right = np.array([True, True, True, False])
    assert normalised_cross_entropy(np.full(4, 0.75), right) == pytest.approx(0)
    least = -(3 * np.log2(0.75) + np.log2(0.25))
    given = np.array([0.9, 0.8, 0.7, 0.4])
    assert normalised_cross_entropy(given, right) == pytest.approx((least + np.log2(0.9 * 0.8 * 0.7 * 0.6)) / least)
    assert normalised_cross_entropy(given, np.ones(4, bool)) is None
    assert normalised_cross_entropy(np.zeros(0), np.zeros(0, bool)) is None
    assert np.isfinite(normalised_cross_entropy(np.array([1.0, 0.0]), np.array([False, True])))


def test_without_a_curve_posteriors_are_confidences():
    assert Curve().confidences(np.array([0.2, 0.9]), np.array([0.1, 2.0])) == pytest.approx([0.2, 0.9])
