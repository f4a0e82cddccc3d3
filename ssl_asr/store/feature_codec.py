"""Feature codec: frames in half precision, or as one byte a value with a range for every dimension and utterance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVELS = 255


@dataclass(frozen=True)
class Quantised:
    """`codes` uint8 [frames, bins]; a value is `low + step * code`, both float32 [bins]."""

    codes: npt.NDArray[np.uint8]
    low: npt.NDArray[np.float32]
    step: npt.NDArray[np.float32]


def quantise(frames: npt.NDArray[np.floating]) -> Quantised:
    """The error is at most half a step: 1/510 of the utterance's range in that dimension."""
    bins = frames.shape[1]
    if len(frames) == 0:
        return Quantised(np.zeros((0, bins), np.uint8), np.zeros(bins, np.float32), np.zeros(bins, np.float32))
    low = frames.min(axis=0).astype(np.float32)
    step = ((frames.max(axis=0) - low) / LEVELS).astype(np.float32)
    # A constant dimension has step 0; its codes are all 0.
    scaled = (frames.astype(np.float32) - low) / np.where(step > 0, step, 1)
    return Quantised(np.clip(np.rint(scaled), 0, LEVELS).astype(np.uint8), low, step)


def restore(quantised: Quantised) -> npt.NDArray[np.float16]:
    return (quantised.low + quantised.step * quantised.codes).astype(np.float16)
