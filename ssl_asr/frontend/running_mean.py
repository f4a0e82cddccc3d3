"""The causal running mean of a speaker's features, subtracted frame by frame.

"Causal mean subtraction over a speaker's audio sorted by creation time" (Parthasarathi & Strom 2019) removes what
microphone, room and voice add to every frame. It works while the speaker still talks: the mean at a frame depends on
that frame and earlier ones, never on a later one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.decayed_sums import DecayedSums
from ssl_asr.frontend.lfbe import FRAME_SECONDS
from ssl_asr.recipe import Frontend


class RunningMean:
    """Mean of one stream, one speaker in one condition; state carries from utterance to utterance.

    It starts at `prior` [bins], which weighs as much as `prior_frames` frames. Old frames decay with a memory of
    `memory_frames`: a frame of that age weighs 1/e. Cutting a stream into other pieces changes no bit of the result.
    """

    def __init__(self, prior: npt.NDArray[np.floating], prior_frames: float, memory_frames: float) -> None:
        # The last column counts the frames.
        self._sums = DecayedSums(prior_frames * np.append(prior.astype(np.float64), 1.0), memory_frames)

    def subtract(self, frames: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """`frames` [frames, bins] minus the mean up to and including each of them; advances the stream."""
        sums = self._sums.advance(np.column_stack([frames.astype(np.float64), np.ones(len(frames))]))
        return (frames - sums[:, :-1] / sums[:, -1:]).astype(np.float32)


def mean_of(prior: npt.NDArray[np.floating], frontend: Frontend) -> RunningMean:
    """Of a stream that begins, from `prior` [mel bins]."""
    weight, memory = frontend.mean_prior_seconds / FRAME_SECONDS, frontend.mean_memory_seconds / FRAME_SECONDS
    return RunningMean(prior, weight, memory)
