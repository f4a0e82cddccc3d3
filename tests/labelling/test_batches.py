"""Batches of like length: complete, bounded, and a matter of the lengths alone."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.labelling.batches import batches_of_like_length

LENGTHS = np.random.default_rng(0).integers(0, 200, 300).tolist()


@pytest.mark.parametrize("batch_frames", [1, 150, 1000, 10**6])
def test_every_utterance_with_frames_is_in_one_batch(batch_frames: int) -> None:
    members = [index for batch in batches_of_like_length(LENGTHS, batch_frames) for index in batch]
    assert sorted(members) == [index for index, length in enumerate(LENGTHS) if length]


@pytest.mark.parametrize("batch_frames", [1, 150, 1000])
def test_padding_included_a_batch_keeps_to_its_frames(batch_frames: int) -> None:
    for batch in batches_of_like_length(LENGTHS, batch_frames):
        assert len(batch) == 1 or len(batch) * max(LENGTHS[index] for index in batch) <= batch_frames


def test_like_lengths_meet_so_that_little_is_padding() -> None:
    batches = batches_of_like_length(LENGTHS, 1000)
    padded = sum(len(batch) * max(LENGTHS[index] for index in batch) for batch in batches)
    assert padded < 1.1 * sum(LENGTHS)


def test_ties_are_broken_by_place() -> None:
    assert batches_of_like_length([5, 7, 5, 7, 0, 5], 15) == [[1, 3], [0, 2, 5]]
