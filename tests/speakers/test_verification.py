"""Verification by groups: made-up voices whose groups are verified with known ease."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.speakers.error_rates import equal_error_rate, operating_points
from ssl_asr.speakers.trials import Spoken, TrialSettings, cosine_scores, make_trials
from ssl_asr.speakers.verification import verification_results

DRAWS = Draws(200, 1)


def voices(spreads, utterances: int = 8):
    """Speakers at random places; their utterances scatter by a spread of each."""
    random = np.random.default_rng(3)
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
    assert found.gap == pytest.approx(hoarse.eer - clear.eer)
    assert found.deviation == pytest.approx(found.gap / 2)
    assert found.gap_interval.low > 0
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
    assert (found.gap, found.deviation, found.gap_interval) == (None, None, None)
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
    assert found.gap is not None
    assert found.gap_interval is None
    assert verification_results(scores, trials, groups, DRAWS) == found
