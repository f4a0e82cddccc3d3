"""Digital silence: all samples are the same to 16 bits, zeros or a constant, as of a channel without a microphone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

EDGE_SECONDS = 0.05  # where resampling a constant rings
_SAME = 2.0**-16  # half a step of 16 bits


def is_silent(samples: Samples, edge: int) -> bool:
    """Whether all samples [n] but `edge` at both ends are the same to 16 bits, so that there is no speech."""
    inner = samples[edge : len(samples) - edge] if len(samples) > 2 * edge else samples
    return not len(inner) or float(np.ptp(inner)) < _SAME


class SilentBeginning:
    """The same of audio that comes in pieces: how far it is silent from its beginning on."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._edge = sample_rate, round(EDGE_SECONDS * sample_rate)
        self._samples = 0
        self._low, self._high = math.inf, -math.inf
        self._signal = math.inf  # the first sample that is another, behind the edge

    def add(self, samples: Samples) -> None:
        """The next samples [n]; how the audio is cut into pieces changes nothing."""
        inner = samples[max(self._edge - self._samples, 0) :]
        if len(inner) and math.isinf(self._signal):
            highs = np.maximum(np.maximum.accumulate(inner), self._high)
            lows = np.minimum(np.minimum.accumulate(inner), self._low)
            others = np.flatnonzero(highs - lows >= _SAME)
            if len(others):
                self._signal = self._samples + len(samples) - len(inner) + int(others[0])
            self._high, self._low = float(highs[-1]), float(lows[-1])
        self._samples += len(samples)

    def reaches(self, seconds: float) -> bool:
        """Whether the first `seconds`, which have been added, are digital silence; never of less than two edges."""
        return seconds > 2 * EDGE_SECONDS and self._signal >= seconds * self._rate - self._edge
