"""When the flat start doubles its components."""

from __future__ import annotations

import pytest

from ssl_asr.hmm.flat_start import FRAMES_A_COMPONENT, MOST_DOUBLINGS, doubling_iterations

MINUTE = 6000  # 10 ms frames
STATES = 117


@pytest.mark.parametrize(
    ("minutes", "iterations", "expected"),
    [(2, 24, []), (40, 24, [10, 13, 17, 20]), (60, 24, [10, 13, 17, 20]), (60 * 1000, 34, [14, 17, 20, 23, 26, 29])],
)
def test_more_speech_gives_more_components(minutes: int, iterations: int, expected: list[int]) -> None:
    found = doubling_iterations(minutes * MINUTE, iterations, STATES)
    assert found == expected
    assert len(found) <= MOST_DOUBLINGS
    assert minutes * MINUTE / STATES / 2 ** len(found) >= FRAMES_A_COMPONENT or not found
