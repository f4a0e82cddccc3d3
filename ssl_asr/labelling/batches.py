"""Batches of utterances of like length: a network pads little, and the same utterances always meet."""

from __future__ import annotations

from collections.abc import Sequence


def batches_of_like_length(lengths: Sequence[int], batch_frames: int) -> list[list[int]]:
    """Indices of `lengths`, longest first, cut where padding to the longest would pass `batch_frames`.

    An utterance longer than that is a batch of its own; one of no frames is in none. Depends on nothing but its
    arguments: a network's last bits vary with what it is batched with, and labels must not vary with the cluster.
    """
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        if lengths[index] == 0:
            continue
        if not batches or longest * (len(batches[-1]) + 1) > batch_frames:
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches
