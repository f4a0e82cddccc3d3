import numpy as np
import pytest

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.channels import channel_check, cramers_v


def test_the_same_division_has_one_and_an_independent_one_about_zero():
    first = np.repeat([0, 1, 2], 20)
    assert cramers_v(first, (first + 1) % 3) == pytest.approx(1)
    assert cramers_v(first, np.tile([0, 1], 30)) == 0
    chance = [cramers_v(first, np.random.default_rng(seed).integers(0, 3, 60)) for seed in range(20)]
    assert np.mean(chance) < 0.1  # 0.18 without the correction for few speakers a value


def test_one_speaker_a_value_tells_nothing():
    assert cramers_v(np.arange(6), np.arange(6)) == 0
    assert channel_check(np.arange(6), np.zeros(6, int), Draws(9, 1)) is None
