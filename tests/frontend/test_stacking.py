"""Stacking to 30 ms at the three feature offsets."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.frontend.stacking import stack, stack_labels, stacked_length


@pytest.mark.parametrize("offset", [0, 1, 2])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 3, 4, 5, 9, 10, 11])
def test_each_stacked_frame_holds_its_three_neighbours_in_order(num_frames: int, offset: int) -> None:
    frames = np.arange(num_frames * 2, dtype=np.float16).reshape(num_frames, 2)
    stacked = stack(frames, offset)
    assert stacked.shape == (stacked_length(num_frames, offset), 6)
    for index, row in enumerate(stacked):
        first = offset + 3 * index
        np.testing.assert_array_equal(row, np.concatenate([frames[first], frames[first + 1], frames[first + 2]]))
    # What is left over is less than one 30 ms frame.
    assert 0 <= max(num_frames - offset, 0) - 3 * len(stacked) < 3


@pytest.mark.parametrize("offset", [0, 1, 2])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 3, 8, 9, 10])
def test_labels_are_those_of_the_middle_frame(num_frames: int, offset: int) -> None:
    labels = stack_labels(np.arange(num_frames), offset)
    assert labels.tolist() == [offset + 3 * index + 1 for index in range(stacked_length(num_frames, offset))]


def test_the_three_offsets_are_views_of_the_same_frames() -> None:
    frames = np.zeros((12, 64), np.float16)
    assert all(np.shares_memory(stack(frames, offset), frames) for offset in range(3))
