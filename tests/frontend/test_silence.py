"""Digital silence, of whole audio and of audio that comes in pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.frontend.silence import EDGE_SECONDS, SilentBeginning, is_silent

RATE = 8000
EDGE = round(EDGE_SECONDS * RATE)


def faint() -> np.ndarray:
    return (np.random.default_rng(0).integers(-1, 2, RATE) / 32768).astype(np.float32)


def test_faint_noise_is_not_digital_silence() -> None:
    assert not is_silent(faint(), EDGE)
    assert is_silent(np.zeros(RATE, np.float32), EDGE)
    assert is_silent(np.zeros(100, np.float32), EDGE)


@given(
    cuts=st.lists(st.integers(0, 3 * RATE), max_size=8),
    level=st.sampled_from([0.0, 0.25, -8 / 32768]),
    begin=st.integers(0, 2 * RATE),
)
def test_of_pieces_it_is_that_of_the_whole(cuts: list[int], level: float, begin: int) -> None:
    samples = np.full(3 * RATE, level, np.float32)
    samples[begin : begin + RATE] += faint()
    beginning = SilentBeginning(RATE)
    for piece in np.split(samples, sorted(cuts)):
        beginning.add(piece)
    for count in range(2 * EDGE + 1, len(samples), 997):
        assert beginning.reaches(count / RATE) == is_silent(samples[:count], EDGE)


@pytest.mark.parametrize("samples", [0, 1, 2 * EDGE])
def test_almost_no_audio_is_not_said_to_be_silent(samples: int) -> None:
    beginning = SilentBeginning(RATE)
    beginning.add(np.zeros(samples, np.float32))
    assert not beginning.reaches(samples / RATE)
