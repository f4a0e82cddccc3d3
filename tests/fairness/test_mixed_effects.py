"""The mixed-effects Poisson regression on simulated speakers, and where it can't tell."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, poisson, t

from ssl_asr.fairness.cohort_table import format_cohorts, mixed_sentence
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.mixed_effects import log_likelihood, mixed_effects
from ssl_asr.fairness.scored_table import Counts
from tests.fairness.made_up import QUICK, table_of


def simulated(speakers: int = 400, *, deviation: float, seed: int = 0):
    """Bottom speakers have 1.5 times the rate; channel 1, of most of them, has twice that of channel 0."""
    random = np.random.default_rng(seed)
    bottom = np.arange(speakers) % 2 == 0
    channels = (random.random(speakers) < np.where(bottom, 0.8, 0.3)).astype(np.int64)
    words = random.integers(100, 500, speakers)
    rate = 0.1 * 1.5**bottom * 2.0**channels * np.exp(deviation * random.standard_normal(speakers))
    return Counts(words, random.poisson(words * rate)), bottom, channels


@pytest.mark.parametrize(("errors", "deviation"), [(0, 0.5), (30, 0.5), (400, 1.5), (3, 0.01)])
def test_the_likelihood_is_the_integral(errors, deviation):
    linear = np.log(0.1)

    def density(z: float) -> float:
        return poisson.pmf(errors, 200 * np.exp(linear + deviation * z)) * norm.pdf(z)

    expected = np.log(quad(density, -9, 9, limit=400, points=[0, 1, 2, 3])[0])
    counts = Counts(np.array([200]), np.array([errors]))
    assert log_likelihood(counts, np.array([linear]), deviation) == pytest.approx(expected, abs=1e-4)


def test_effect_and_deviation_are_recovered_beside_a_channel():
    found = mixed_effects(*simulated(deviation=0.4))
    assert found.ratio == pytest.approx(1.5, rel=0.12)
    assert found.interval.low < 1.5 < found.interval.high
    assert found.speaker_deviation == pytest.approx(0.4, abs=0.06)
    assert found.channels == 2


def test_where_speakers_do_not_differ_it_is_the_plain_regression():
    """With one channel that has a closed form: the ratio of rates, with the variance 1 / errors of each part."""
    bottom, words = np.arange(40) % 2 == 0, np.full(40, 200)
    errors = np.where(bottom, 60, 40)
    found = mixed_effects(Counts(words, errors), bottom, np.zeros(40, np.int64))
    error = np.sqrt(1 / errors[bottom].sum() + 1 / errors[~bottom].sum())
    assert found.speaker_deviation == pytest.approx(0, abs=0.02)
    assert found.ratio == pytest.approx(1.5, rel=1e-3)
    assert np.log(found.interval.high / found.interval.low) == pytest.approx(2 * t.ppf(0.975, 19) * error, rel=0.03)


def test_it_is_silent_where_parts_are_channels_or_have_one_speaker():
    counts, bottom, channels = simulated(60, deviation=0.3)
    found = mixed_effects(counts, bottom, bottom.astype(np.int64))
    assert (found.ratio, found.interval, found.speaker_deviation) == (None, None, None)
    assert "No test set or channel has speakers of both parts" in mixed_sentence(found)
    one = mixed_effects(counts, np.arange(60) == 0, channels)
    assert one.ratio is None
    assert "One part has less than" in mixed_sentence(one)
    few = np.where(np.arange(60) < 58, bottom, 1 - bottom).astype(np.int64)  # one speaker of each part elsewhere
    assert "Less than 3 pairs of speakers, one of each part" in mixed_sentence(
        mixed_effects(Counts(counts.words, counts.errors + 1), bottom, few)
    )
    none = mixed_effects(Counts(counts.words, np.where(bottom, counts.errors, 0)), bottom, channels)
    assert none.ratio is None
    assert "no error" in mixed_sentence(none)


def test_cohorts_tell_it_without_a_name():
    tags = [{"device": "far" if number % 2 else "near"} for number in range(60)]
    found = find_cohorts(table_of([0.3 if number % 2 else 0.15 for number in range(60)], tags), "tag:device", QUICK)
    assert found.mixed_effects.interval.low < 2 < found.mixed_effects.interval.high
    text = " ".join(format_cohorts(found).split())
    assert "no channel effect, as only one test set" in text
    assert "person" not in text + str(asdict(found))
