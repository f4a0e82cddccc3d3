"""The front end for audio that comes in pieces: the frames that the shards would hold, as soon as they are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.energy_floor import floor_of
from ssl_asr.frontend.lfbe import OnlineLfbe
from ssl_asr.frontend.running_mean import mean_of
from ssl_asr.frontend.stacking import STACK, stack
from ssl_asr.recipe import Frontend

Float32 = npt.NDArray[np.float32]


class SpeakerState:
    """What is known of a speaker in one channel: the energy floor and the running mean.

    A speaker begins with the corpus mean [mel bins] and level. Only one stream may use a state at a time.
    """

    def __init__(self, prior_mean: npt.NDArray[np.floating], prior_level: float, frontend: Frontend) -> None:
        self._floor, self._mean = floor_of(prior_level, frontend), mean_of(prior_mean, frontend)

    def normalise(self, frames: Float32) -> Float32:
        """LFBE [10 ms frames, bins] above the floor and minus the mean, with the precision of 16-bit shards.

        The speaker's audio goes on behind them.
        """
        if not len(frames):
            return frames
        normalised = self._mean.subtract(self._floor.raise_to(frames))
        return normalised.astype(np.float16).astype(np.float32)


class OnlineFrontend:
    """Turns the audio of one stream into stacked frames; cutting the audio into other pieces changes no bit."""

    def __init__(self, frontend: Frontend, speaker: SpeakerState) -> None:
        self.speaker = speaker
        self._lfbe = OnlineLfbe(frontend)
        self._rest = np.zeros((0, frontend.mel_bins), np.float32)  # less than a stack of frames

    def accept(self, samples: Float32) -> Float32:
        """Frames [30 ms frames, 3 x bins] that are complete with `samples`, which are in [-1, 1]."""
        return self._stack(self._lfbe.accept(samples))

    def finish(self) -> Float32:
        """The last frames; a rest of one or two 10 ms frames is dropped, as in training."""
        return self._stack(self._lfbe.finish())

    def _stack(self, frames: Float32) -> Float32:
        known = np.concatenate([self._rest, self.speaker.normalise(frames)])
        self._rest = known[len(known) // STACK * STACK :]
        return stack(known)
