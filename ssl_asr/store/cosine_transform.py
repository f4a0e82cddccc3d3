"""The cosine transform of blocks of frames, in whole numbers: the same to the last bit on every machine.

A block is `BLOCK_FRAMES` frames of all mel bins, transformed over time and over frequency. Both bases are the
orthonormal DCT-II, times 2^15 and rounded. Products of matrices are in float64, but all their terms are whole numbers
and all sums stay below 2^53. So no sum is rounded, and neither the order of additions nor the BLAS library matters.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

BLOCK_FRAMES = 8
BASIS_BITS = 15
VALUE_BITS = 10  # a value enters the transform as a whole number of 2^-10
MAX_VALUE = 128  # nats; log energies of finite samples are within about 60
MAX_BINS = 256
MAX_CODE = 32767  # of a coefficient
_CHUNK = 256  # blocks: a few MB of float64, which a core's cache holds


@lru_cache
def basis(size: int) -> npt.NDArray[np.float64]:
    """[coefficient, place]: the orthonormal DCT-II of `size` points in whole numbers of 2^-15.

    The entries are far enough from halves that every machine's cosine rounds to the same (tests/store compares them).
    """
    rounded = np.rint(dct(np.eye(size), norm="ortho", axis=0) * 2**BASIS_BITS)
    rounded.flags.writeable = False
    return rounded


def forward(blocks: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Coefficients [blocks, over time x over frequency] of `blocks` [blocks, 8, bins], in nats.

    The values are finite and within `MAX_VALUE`.
    """
    count, frames, bins = blocks.shape
    assert bins <= MAX_BINS, "sums would leave the whole numbers of float64"
    over_time, over_bins = basis(frames), basis(bins).T
    found = np.empty((count, frames, bins))
    for begin in range(0, count, _CHUNK):
        exact = np.rint(blocks[begin : begin + _CHUNK].astype(np.float64) * 2**VALUE_BITS)
        np.matmul(over_time, exact @ over_bins, out=found[begin : begin + _CHUNK])
    found *= 2.0 ** -(VALUE_BITS + 2 * BASIS_BITS)
    return found.reshape(count, frames * bins)


def inverse(codes: npt.NDArray[np.int16], steps: npt.NDArray[np.float32], bins: int) -> npt.NDArray[np.float16]:
    """Frames [8 x blocks, bins] of whole-numbered `codes` [blocks, over time x over frequency].

    A coefficient is its code times the step of its block, `steps` [blocks]. Only three operations round: the product
    with the step, in float64, and the conversions to float32 and float16. IEEE 754 defines all three.
    """
    over_time, over_bins = basis(BLOCK_FRAMES).T, basis(bins)
    scales = steps.astype(np.float64) * 2.0 ** -(2 * BASIS_BITS)
    frames = np.empty((len(codes), BLOCK_FRAMES, bins), np.float16)
    for begin in range(0, len(codes), _CHUNK):
        part = codes[begin : begin + _CHUNK].astype(np.float64).reshape(-1, BLOCK_FRAMES, bins)
        whole = np.matmul(over_time, part @ over_bins)
        whole *= scales[begin : begin + _CHUNK, None, None]
        frames[begin : begin + _CHUNK] = whole.astype(np.float32)
    return frames.reshape(-1, bins)
