"""Batches of metric learning: some speakers, and of each some utterances, cut to a length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.speakers.pool import Pool
from ssl_asr.speakers.trials import Int
from ssl_asr.training.data.sources import seed_of


@dataclass(frozen=True)
class BatchShape:
    """`crop` is the length of a piece in 30 ms frames: 53 are 1.6 s (Wan et al. 2018: 1.4 to 1.8 s)."""

    speakers: int = 16
    utterances: int = 4
    crop: int = 53


@dataclass(frozen=True)
class Crop:
    """A piece of an utterance: frames float16 [30 ms frames, inputs], at `place` in the pool."""

    place: int
    frames: npt.NDArray[np.float16]


def check_speakers(pool: Pool, shape: BatchShape) -> None:
    """ValueError where the pool has less speakers than a batch."""
    if len(pool.speakers) < shape.speakers:
        raise ValueError(
            f"a batch wants {shape.speakers} speakers, and {len(pool.speakers)} have two utterances or more; give "
            f"--batch-speakers {max(len(pool.speakers), 2)} or less, or train on more speech"
        )


def draw_batch(pool: Pool, shape: BatchShape, seed: int, step: int) -> list[Crop]:
    """The batch of a step, speaker by speaker, the same whenever it is drawn.

    A speaker with less utterances than wanted is heard in several pieces of them.
    """
    random = np.random.default_rng(seed_of(seed, "batch", step))
    speakers = random.choice(len(pool.speakers), shape.speakers, replace=False)
    places = np.concatenate([_some(pool.places[each], shape.utterances, random) for each in speakers])
    crops = []
    for place in places.tolist():
        frames = pool.utterances[place].frames
        begin = int(random.integers(max(len(frames) - shape.crop, 0) + 1))
        crops.append(Crop(place, frames[begin : begin + shape.crop]))
    return crops


def _some(places: Int, count: int, random: np.random.Generator) -> Int:
    """Each once before any twice."""
    rounds = -(-count // len(places))
    return np.concatenate([random.permutation(places) for _ in range(rounds)])[:count]
