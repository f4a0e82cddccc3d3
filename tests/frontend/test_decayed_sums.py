"""Sums of rows that fade, against scipy's filter and against any pieces, bit for bit."""

import numpy as np
import pytest
from scipy.signal import lfilter

from ssl_asr.frontend.decayed_sums import DecayedSums

ROWS = np.random.default_rng(0).normal(9, 5, (400, 7))
ROWS[50:90] = 0  # digital silence
FIRST = np.arange(7.0)
DECAY = np.exp(-1 / 120)


@pytest.mark.parametrize("length", [1, 7, 100, 101, 400])
def test_pieces_of_any_length_give_the_bits_of_one_filter(length: int) -> None:
    expected, _ = lfilter([1.0], [1.0, -DECAY], ROWS, axis=0, zi=DECAY * FIRST[None])
    sums = DecayedSums(FIRST, 120)
    found = np.concatenate([sums.advance(ROWS[begin : begin + length]) for begin in range(0, len(ROWS), length)])
    np.testing.assert_array_equal(found.view(np.uint64), expected.view(np.uint64))
    assert sums.advance(ROWS[:0]).shape == (0, 7)


def test_a_row_fades() -> None:
    sums = DecayedSums(np.zeros(1), 50).advance(np.array([[1.0], *[[0.0]] * 50]))
    assert sums[50, 0] == pytest.approx(np.exp(-1))
