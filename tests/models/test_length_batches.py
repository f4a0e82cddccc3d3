"""Batches of like length: complete, bounded, and a matter of the lengths alone."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.models.length_batches import LEAST_SHARE, batches_of_like_length, padding_waste

LENGTHS = np.random.default_rng(0).integers(0, 200, 300).tolist()


@pytest.mark.parametrize("batch_frames", [1, 150, 1000, 10**6])
def test_every_utterance_with_frames_is_in_one_batch(batch_frames: int) -> None:
    members = [index for batch in batches_of_like_length(LENGTHS, batch_frames) for index in batch]
    assert sorted(members) == [index for index, length in enumerate(LENGTHS) if length]


@pytest.mark.parametrize("batch_frames", [1, 150, 1000])
def test_padding_included_a_batch_keeps_to_its_frames(batch_frames: int) -> None:
    for batch in batches_of_like_length(LENGTHS, batch_frames):
        assert len(batch) == 1 or len(batch) * max(LENGTHS[index] for index in batch) <= batch_frames


@pytest.mark.parametrize("batch_frames", [1000, 10**6])
def test_like_lengths_meet_so_that_little_is_padding(batch_frames: int) -> None:
    batches = batches_of_like_length(LENGTHS, batch_frames)
    padded = sum(len(batch) * max(LENGTHS[index] for index in batch) for batch in batches)
    assert padding_waste(LENGTHS, batches) == pytest.approx(1 - sum(LENGTHS) / padded)
    assert padding_waste(LENGTHS, batches) < 0.06
    assert all(min(LENGTHS[i] for i in batch) >= LEAST_SHARE * max(LENGTHS[i] for i in batch) for batch in batches)


def test_ties_are_broken_by_place() -> None:
    assert batches_of_like_length([5, 7, 5, 7, 0, 5], 15) == [[1, 3], [0, 2, 5]]
    assert batches_of_like_length([9, 10, 8], 10**6) == [[1, 0], [2]]
