"""The clips that noise is made of: other ones for training, for dev and for test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Files = tuple[str, ...]
_DEV_PART = 5  # dev has one of so many parts of the training noise


@dataclass(frozen=True)
class NoiseClips:
    """Files for noise banks: `babble` has a list for each talker, `effects` one list, empty for made-up effects."""

    babble: tuple[Files, ...]
    effects: Files


def with_dev(clips: Mapping[str, NoiseClips]) -> dict[str, NoiseClips]:
    """`clips` of "train" and "test", where the last fifth of each list of the former becomes "dev".

    So what is chosen on dev is not chosen on the noise of the test speech, whose talkers are others still.
    """
    train = clips["train"]
    talkers, effects = [_cut(files) for files in train.babble], _cut(train.effects)
    kept = NoiseClips(tuple(files for files, _ in talkers), effects[0])
    dev = NoiseClips(tuple(files for _, files in talkers), effects[1])
    return {"train": kept, "dev": dev, "test": clips["test"]}


def _cut(files: Files) -> tuple[Files, Files]:
    """Neighbours are often variants of one sound, so dev has the end of the list."""
    kept = len(files) - len(files) // _DEV_PART
    return files[:kept], files[kept:]
