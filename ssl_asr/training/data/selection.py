"""Which unlabeled utterances are trained on: a share of all frames, spread evenly over the teacher's confidence.

arXiv 2008.03923 found that 40 k hours drawn uniformly over bins of confidence are as good as 250 k random hours, and
that the bins of low and middle confidence help most. Here a selection is a view: nothing is deleted, and no list of
utterances is stored. A hash of the seed and the id, compared with the share of the bin, decides about an utterance.
So the selection is the same for any order of shards and any number of machines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.labelling.top_k import CONFIDENCE_BINS, confidence_bin
from ssl_asr.recipe import Recipe
from ssl_asr.store import targets
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class Selection:
    """`shares` [confidence bins] are the shares of each bin's utterances that are kept."""

    seed: int
    shares: tuple[float, ...]

    def keeps(self, utterance: str, confidence: float) -> bool:
        """Whether the utterance with this id and this `confidence` is selected."""
        return _place(self.seed, utterance) < self.shares[confidence_bin(confidence)]


def selection_of(recipe: Recipe, target_set: str) -> Selection | None:
    """The part of a finished target set that the recipe's student is trained on; None for all of it."""
    student = recipe.student
    if student.selection == "all":
        return None
    lists = ShardStore(recipe.run, targets.store_name(target_set)).lists("unlabeled")
    return uniform_over_confidence(lists.matrix("confidence_frames"), student.selected_share, recipe.seed)


def uniform_over_confidence(histograms: npt.NDArray[np.float64], share: float, seed: int) -> Selection:
    """`share` of all frames of a set of targets; `histograms` [shards, confidence bins] count each shard's frames."""
    frames = histograms.reshape(-1, CONFIDENCE_BINS).sum(axis=0).astype(np.int64)
    return Selection(seed, even_shares(frames.tolist(), share))


def even_shares(frames: Sequence[int], share: float) -> tuple[float, ...]:
    """For bins with `frames`, the share to keep of each, so that all keep equally many frames, or all that they have.

    Together they keep `share` of all frames (water-filling). An empty bin has share 1, so that an utterance that
    rounding puts there is kept.
    """
    assert 0 < share <= 1, "the recipe checks its range"
    left, level = share * sum(frames), 0.0
    filled = sorted(count for count in frames if count)
    for place, count in enumerate(filled):
        level = left / (len(filled) - place)
        if count >= level:
            break
        left -= count
    return tuple(min(1.0, level / count) if count else 1.0 for count in frames)


def _place(seed: int, utterance: str) -> float:
    """A number in [0, 1) that depends only on both arguments; it has 53 bits, which a float holds exactly."""
    digest = hashlib.blake2b(f"{seed}/{utterance}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 2**53
