"""The causal running mean of a speaker's features, subtracted frame by frame.

"Causal mean subtraction over a speaker's audio sorted by creation time" (Parthasarathi & Strom 2019) removes what
microphone, room and voice add to every frame, and can be had while the speaker still talks: the mean at a frame
knows that frame and those before it, never one after it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter


class RunningMean:
    """Mean of one stream, one speaker in one condition; state carries from utterance to utterance.

    It begins at `prior` [bins], which weighs as much as `prior_frames` frames, and forgets with a memory of
    `memory_frames`: a frame that old weighs 1/e. Cutting a stream into other pieces changes no bit.
    """

    def __init__(self, prior: npt.NDArray[np.floating], prior_frames: float, memory_frames: float) -> None:
        self._decay = float(np.exp(-1.0 / memory_frames))
        # What is left, one frame on, of the sum of the frames heard and, in the last place, of their weight.
        self._state = self._decay * prior_frames * np.append(prior.astype(np.float64), 1.0)

    def subtract(self, frames: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """`frames` [frames, bins] less the mean up to and with each of them; the stream moves on."""
        if not len(frames):
            return frames.astype(np.float32)
        counted = np.column_stack([frames.astype(np.float64), np.ones(len(frames))])
        sums, last = lfilter([1.0], [1.0, -self._decay], counted, axis=0, zi=self._state[None])
        self._state = last[0]
        return (frames - sums[:, :-1] / sums[:, -1:]).astype(np.float32)
