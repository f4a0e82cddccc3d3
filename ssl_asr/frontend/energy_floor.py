"""The causal floor under a speaker's log energies: so far below the speaker's own level that only silence is there.

Between words, log energies fall to the noise of the recording, or to nothing where a game or a codec writes digital
silence. Unbounded, these frames dominate the running mean and the global variance, although they say no more than
"silence". The floor follows the level of the speech, so a loud and a quiet copy of a recording get the same energies
up to a constant, with or without digital silence in their pauses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.decayed_sums import DecayedSums
from ssl_asr.frontend.lfbe import FRAME_SECONDS, NO_SIGNAL
from ssl_asr.recipe import Frontend


class EnergyFloor:
    """Floor of one stream, one speaker in one condition; state carries from utterance to utterance.

    The level is the log of the mean power of a mel bin over the frames so far, each weighing less with age as in
    `RunningMean`. Loud frames decide a mean of powers, so pauses hardly move it. The floor is `range_nats` below.
    Digital silence has no power and no weight. Before a stream's first signal the level is `prior_level`.
    """

    def __init__(self, prior_level: float, range_nats: float, memory_frames: float) -> None:
        self._range, self._prior_level = range_nats, prior_level
        self._sums = DecayedSums(np.zeros(2), memory_frames)  # of powers, and the number of frames with a signal

    def raise_to(self, frames: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """log(e^x + e^floor) of `frames` [10 ms frames, bins]; advances the stream.

        The floor of a frame depends on that frame and earlier ones, never on a later one.
        """
        exact = frames.astype(np.float64)
        return np.logaddexp(exact, self._floors(exact)[:, None]).astype(np.float32)

    def _floors(self, frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        powers, counts = self._sums.advance(np.column_stack(_powers(frames))).T
        known = counts > 0
        levels = np.full(len(frames), self._prior_level)
        levels[known] = np.log(powers[known] / counts[known])
        return levels - self._range


def floor_of(prior_level: float, frontend: Frontend) -> EnergyFloor:
    """Of a stream that begins."""
    return EnergyFloor(prior_level, frontend.energy_range_nats, frontend.mean_memory_seconds / FRAME_SECONDS)


def level_of(utterances: Sequence[npt.NDArray[np.floating]]) -> float:
    """Log of the mean power of a mel bin over all frames of `utterances`, each [frames, bins], that have a signal.

    ValueError if there is none.
    """
    powers, heard = _powers(np.concatenate(utterances).astype(np.float64))
    if not heard.any():
        raise ValueError("all audio is digital silence; check the files of the labeled speech")
    return float(np.log(powers.sum() / heard.sum()))


def _powers(frames: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Mean power of a bin of each frame, 0 in digital silence, and which frames have a signal."""
    heard = frames.max(axis=1) > NO_SIGNAL
    return np.where(heard, np.exp(frames).mean(axis=1), 0.0), heard
