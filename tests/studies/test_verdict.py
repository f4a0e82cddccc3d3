"""Every verdict."""

from __future__ import annotations

import pytest

from ssl_asr.studies.verdict import verdict_of


@pytest.mark.parametrize(
    ("mean", "low", "high", "verdict"),
    [
        (0.12, 0.08, 0.15, "reproduced"),
        (0.08, 0.03, 0.15, "partly"),
        (0.04, -0.01, 0.08, "not"),
        (0.04, 0.0, 0.09, "not"),
        (0.08, -0.02, 0.18, "can't tell"),
        (-0.2, -0.3, -0.1, "not"),
    ],
)
def test_a_verdict_needs_a_clear_gain_of_the_size_asked_for(mean, low, high, verdict) -> None:
    assert verdict_of(mean, low, high, at_least=0.1) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.005, 0.02, "reproduced"), (0.01, 0.03, "reproduced"), (-0.02, 0.02, "can't tell"), (-0.03, -0.02, "not")],
)
def test_a_criterion_below_zero_asks_for_no_more_loss_than_that(low, high, verdict) -> None:
    assert verdict_of((low + high) / 2, low, high, at_least=-0.01) == verdict
