"""From 10 ms frames to 30 ms: three stacked, at one of three feature offsets.

Training rotates the offset (0, 10, 20 ms) from pass to pass, "to compensate for sub-sampling" (Parthasarathi et
al. 2019); targets and decoding use offset 0.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

STACK = 3
Float = TypeVar("Float", bound=np.floating)


def stacked_length(num_frames: int, offset: int = 0) -> int:
    """30 ms frames in `num_frames` 10 ms frames."""
    return max(num_frames - offset, 0) // STACK


def stack(frames: npt.NDArray[Float], offset: int = 0) -> npt.NDArray[Float]:
    """[10 ms frames, bins] to [30 ms frames, 3 x bins]; a rest of one or two frames is dropped."""
    length = stacked_length(len(frames), offset)
    return frames[offset : offset + length * STACK].reshape(length, STACK * frames.shape[1])


def stack_labels(labels: npt.NDArray, offset: int = 0) -> npt.NDArray:
    """The label of each 30 ms frame: that of its middle 10 ms frame."""
    length = stacked_length(len(labels), offset)
    return labels[offset + 1 : offset + length * STACK : STACK]
