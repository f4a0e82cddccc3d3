"""Audio at another sample rate, piece by piece."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

Samples = npt.NDArray[np.float32]


class Resampler:
    """One channel in pieces of any length; their borders change nothing. Equal rates leave it as it is."""

    def __init__(self, given: int, wanted: int) -> None:
        """Samples a second of what comes, and of what is made."""
        self._stream = soxr.ResampleStream(given, wanted, 1, "float32") if given != wanted else None

    def add(self, samples: Samples) -> Samples:
        """What can be computed after these samples [n]; the rest comes with later ones."""
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def finish(self) -> Samples:
        """What is left at the end."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._stream is None else self._stream.resample_chunk(nothing, last=True)
