"""What kills cost, against kills drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.planning.preemption import loss_share, recovery_share, slowdown


def simulated(period: float, rate: float, recovery: float, periods: int) -> float:
    """Time over work, of `periods` periods walked through with exponential times between kills."""
    rng = np.random.default_rng(1)
    now, kill = 0.0, rng.exponential(1 / rate)
    for _ in range(periods):
        end = now + period
        while kill < end:  # this period's work is lost; recovering may be killed too, and then begins again
            up = kill + recovery
            kill += rng.exponential(1 / rate)
            while kill < up:
                up = kill + recovery
                kill += rng.exponential(1 / rate)
            end = up + period
        now = end
    return now / (periods * period)


@pytest.mark.parametrize(
    ("period", "kills_an_hour", "recovery"),
    [(8.5, 3.2, 53.0), (120.0, 3.2, 53.0), (600.0, 6.0, 20.0), (60.0, 60, 30)],
)
def test_against_kills_drawn_at_random(period, kills_an_hour, recovery):
    rate = kills_an_hour / 3600
    kills = 40_000
    lost = slowdown(period, rate, recovery) - 1
    drawn = simulated(period, rate, recovery, int(kills / (rate * period))) - 1
    # The mean of 40,000 kills is known to about 1 %.
    assert lost == pytest.approx(drawn, rel=0.04)


def test_of_little_loss_half_a_period_and_a_recovery_go_with_each_kill():
    assert loss_share(20.0, 1e-5, 30.0) == pytest.approx(1e-5 * (20 / 2 + 30), rel=1e-3)
    assert recovery_share(1e-5, 30.0) == pytest.approx(1e-5 * 30, rel=1e-3)


def test_no_kills_no_loss():
    assert loss_share(100.0, 0.0, 53.0) == 0
    assert recovery_share(0.0, 53.0) == 0


def test_hopeless_rates_have_an_answer():
    assert loss_share(3600.0, 10.0, 53.0) == pytest.approx(1)
