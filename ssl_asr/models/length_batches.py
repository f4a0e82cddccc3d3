"""Batches of similar length: little padding, and the same utterances are always batched together."""

from __future__ import annotations

from collections.abc import Sequence

# The shortest of a batch is at least this share of its longest, so at most a tenth of a row is padding.
LEAST_SHARE = 0.9


def batches_of_like_length(lengths: Sequence[int], batch_frames: int) -> list[list[int]]:
    """Indices of `lengths`, longest first; a batch ends before padding passes `batch_frames` or lengths differ much.

    An utterance longer than `batch_frames` is a batch of its own. An utterance without frames is in no batch. The
    result depends only on the arguments: a network's last bits depend on the batch, and labels must not depend on
    the cluster.
    """
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        if lengths[index] == 0:
            continue
        full = longest * (len(batches[-1]) + 1) > batch_frames if batches else True
        if full or lengths[index] < LEAST_SHARE * longest:
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches


def padding_waste(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """The share of frames computed that are padding."""
    computed = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    return 1 - sum(lengths) / max(computed, 1)
