"""Cepstra of the stored log mel energies: nearly uncorrelated, as diagonal Gaussians assume."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

CEPSTRA = 13
CONTEXT = 4  # frames on either side that are spliced for LDA: 9 of 10 ms, as in Kaldi's recipes
SPLICED = (2 * CONTEXT + 1) * CEPSTRA

Floats = npt.NDArray[np.float32]


def cepstra(frames: npt.NDArray[np.floating]) -> Floats:
    """[10 ms frames, mel bins] log energies to [10 ms frames, 13], the utterance's mean removed.

    The front end has already subtracted a causal speaker mean. At a speaker's first utterances that mean is not exact
    yet; subtracting the utterance's mean corrects this.
    """
    coefficients = dct(frames.astype(np.float32), norm="ortho", axis=1)[:, :CEPSTRA]
    return coefficients - coefficients.mean(axis=0)


def with_deltas(coefficients: Floats) -> Floats:
    """[frames, d] to [frames, 3 d]: first and second differences in time appended."""
    first = np.gradient(coefficients, axis=0)
    return np.hstack([coefficients, first, np.gradient(first, axis=0)]).astype(np.float32)


def spliced(coefficients: Floats) -> Floats:
    """[frames, d] to [frames, 9 d]: each frame with its four neighbours on either side, ends repeated."""
    padded = np.pad(coefficients, ((CONTEXT, CONTEXT), (0, 0)), "edge")
    return np.hstack([padded[at : at + len(coefficients)] for at in range(2 * CONTEXT + 1)])
