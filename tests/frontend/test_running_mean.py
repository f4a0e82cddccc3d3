"""The causal running mean: its definition, its causality, and its state across utterances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ssl_asr.frontend.running_mean import RunningMean

BINS = 5
PRIOR = np.linspace(3, 9, BINS)


def frames_of(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal((count, BINS)) * 3 + 7).astype(np.float32)


def by_definition(frames: npt.NDArray, prior_frames: float, memory_frames: float) -> npt.NDArray:
    """Every mean as its own weighted sum over the prior and the frames so far."""
    rows = []
    for now in range(len(frames)):
        ages = now - np.arange(now + 1)
        weights = np.exp(-ages / memory_frames)
        prior = prior_frames * np.exp(-(now + 1) / memory_frames)
        mean = (prior * PRIOR + weights @ frames[: now + 1].astype(np.float64)) / (prior + weights.sum())
        rows.append(frames[now] - mean)
    return np.array(rows)


@pytest.mark.parametrize(("prior_frames", "memory_frames"), [(100.0, 12000.0), (3.0, 10.0), (0.5, 1.0)])
def test_it_is_the_weighted_mean_of_the_prior_and_the_frames_so_far(
    prior_frames: float, memory_frames: float
) -> None:
    frames = frames_of(300)
    subtracted = RunningMean(PRIOR, prior_frames, memory_frames).subtract(frames)
    np.testing.assert_allclose(subtracted, by_definition(frames, prior_frames, memory_frames), atol=1e-5)


def test_a_later_frame_changes_no_earlier_one() -> None:
    frames = frames_of(200)
    changed = frames.copy()
    changed[120:] += 1000
    first = RunningMean(PRIOR, 100, 12000).subtract(frames)
    second = RunningMean(PRIOR, 100, 12000).subtract(changed)
    np.testing.assert_array_equal(first[:120], second[:120])
    assert (first[120:] != second[120:]).all()


@pytest.mark.parametrize("cuts", [[1], [50, 51, 200], list(range(1, 300))])
def test_cutting_the_stream_elsewhere_changes_no_bit(cuts: list[int]) -> None:
    frames = frames_of(300)
    whole = RunningMean(PRIOR, 100, 500).subtract(frames)
    stream = RunningMean(PRIOR, 100, 500)
    pieces = [stream.subtract(piece) for piece in np.split(frames, cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_no_frames_move_nothing() -> None:
    stream = RunningMean(PRIOR, 100, 500)
    assert stream.subtract(frames_of(0)).shape == (0, BINS)
    np.testing.assert_array_equal(stream.subtract(frames_of(9)), RunningMean(PRIOR, 100, 500).subtract(frames_of(9)))


def test_a_constant_channel_is_gone_once_the_prior_is_outweighed() -> None:
    frames = np.full((5000, BINS), 4.0, np.float32)
    subtracted = RunningMean(PRIOR, 100, 12000).subtract(frames)
    np.testing.assert_allclose(subtracted[0], (4.0 - PRIOR) * 100 / 101, rtol=1e-2)
    assert np.abs(subtracted[-1]).max() < 0.1
