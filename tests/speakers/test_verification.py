"""Verification by groups: made-up voices whose groups are verified with known ease."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.speakers.error_rates import equal_error_rate, operating_points
from ssl_asr.speakers.trials import Spoken, TrialSettings, cosine_scores, make_trials
from ssl_asr.speakers.verification import verification_results

DRAWS = Draws(200, 1)


def voices(spreads, utterances: int = 8, seed: int = 3):
    """Speakers at random places; their utterances scatter by a spread of each."""
    random = np.random.default_rng(seed)
    spoken, vectors = [], []
    for number, spread in enumerate(spreads):
        centre = random.normal(size=16)
        for part in range(utterances):
            spoken.append(Spoken(f"u{number:03d}-{part}", f"person {number:03d}"))
            vectors.append(centre + spread * random.normal(size=16))
    trials = make_trials(spoken, TrialSettings(enrolled=2))
    return cosine_scores(np.array(vectors), trials), trials


def test_the_group_that_scatters_has_the_higher_rate_and_the_gap_is_told():
    scores, trials = voices([0.3] * 12 + [1.5] * 12)
    groups = ["clear"] * 12 + ["hoarse"] * 12
    found = verification_results(scores, trials, groups, DRAWS)
    clear, hoarse = found.groups
    assert (clear.name, hoarse.name) == ("clear", "hoarse")
    assert hoarse.eer > clear.eer + 0.1
    apart = found.disparity
    assert (apart.highest, apart.lowest) == ("hoarse", "clear")
    assert apart.gap == pytest.approx(hoarse.eer - clear.eer)
    assert apart.deviation == pytest.approx(apart.gap / 2)
    assert 0 < apart.interval.low < apart.gap < apart.interval.high
    assert apart.p == apart.deviation_p == 1 / 201
    assert apart.shuffled < apart.gap
    assert clear.true_claims == 12 * 6
    assert clear.impostors == 12 * 6 * 11
    assert found.everything.impostors == 24 * 6 * 23
    own = np.arange(24) < 12
    inside = own[trials.claimed] & own[trials.spoken_by]
    assert clear.eer == equal_error_rate(operating_points(scores[inside], trials.is_target[inside]))


def test_intervals_hold_the_rate_and_draw_speakers():
    scores, trials = voices([1.2] * 30)
    found = verification_results(scores, trials, [None] * 30, DRAWS)
    assert found.groups == []
    assert found.disparity is None
    every = found.everything
    assert every.interval.low < every.eer < every.interval.high
    # Of trials that were independent, the interval would be narrower.
    random = np.random.default_rng(1)
    independent = [
        equal_error_rate(
            operating_points(
                scores, trials.is_target, random.multinomial(len(scores), [1 / len(scores)] * len(scores))
            )
        )
        for _ in range(100)
    ]
    low, high = np.quantile(independent, [0.025, 0.975])
    assert every.interval.high - every.interval.low > 1.3 * (high - low)


def test_small_groups_have_no_interval_and_single_speakers_no_group():
    scores, trials = voices([1.0] * 9)
    groups = ["many"] * 5 + ["few"] * 3 + ["one"]
    found = verification_results(scores, trials, groups, DRAWS)
    assert [each.name for each in found.groups] == ["few", "many"]
    assert found.groups[0].interval is None
    assert found.groups[1].interval is not None
    assert found.disparity.gap == abs(found.groups[0].eer - found.groups[1].eer)
    assert found.disparity.interval is None
    assert verification_results(scores, trials, groups, DRAWS) == found


def test_groups_that_do_not_differ_have_a_gap_by_chance_alone():
    found = []
    for seed in range(12):
        scores, trials = voices([1.2] * 16, seed=seed)
        groups = [("a", "b")[number % 2] for number in range(16)]
        found.append(verification_results(scores, trials, groups, Draws(100, 1)).disparity)
    assert all(each.gap >= 0 for each in found)
    assert sum(each.p <= 0.05 for each in found) <= 3
    assert 0.2 < np.mean([each.p for each in found]) < 0.8
    assert sum(each.interval.low <= 0 for each in found) >= 8
