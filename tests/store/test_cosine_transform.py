"""The whole-numbered cosine transform: exact, whatever the machine, and nearly orthonormal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct

from ssl_asr.store.cosine_transform import BASIS_BITS, BLOCK_FRAMES, MAX_BINS, MAX_CODE, basis, forward, inverse

GENERATOR = np.random.default_rng(0)


def test_no_entry_of_a_basis_is_so_near_a_half_that_a_cosine_decides_it() -> None:
    for size in range(1, MAX_BINS + 1):
        exact = dct(np.eye(size), norm="ortho", axis=0) * 2**BASIS_BITS
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-7  # 1,000 times the error of a float64 cosine


def test_the_smallest_basis_is_this_one() -> None:
    assert basis(3).tolist() == [[18919, 18919, 18919], [23170, 0, -23170], [13377, -26755, 13377]]


@pytest.mark.parametrize("bins", [1, 5, 64, MAX_BINS])
@pytest.mark.parametrize("largest", [3, MAX_CODE])
def test_values_are_those_of_whole_numbers_without_limits(bins: int, largest: int) -> None:
    """Python's integers, one product after another, and one rounding at the end."""
    codes = GENERATOR.integers(-largest, largest, (2, BLOCK_FRAMES * bins), endpoint=True).astype(np.int16)
    codes[0] = largest  # the sums that are largest
    step = np.float32(2**-8)
    over_time, over_bins = (basis(size).astype(int).astype(object) for size in (BLOCK_FRAMES, bins))
    whole = [over_time.T @ block.astype(object).reshape(BLOCK_FRAMES, bins) @ over_bins for block in codes]
    assert max(abs(value) for block in whole for value in block.flat) < 2**53
    expected = np.array([[float(value) * float(step) * 2.0**-30 for value in block.flat] for block in whole])
    found = inverse(codes, np.array([step, step]), bins)
    np.testing.assert_array_equal(found.reshape(2, -1), expected.astype(np.float32).astype(np.float16))


@pytest.mark.parametrize("bins", [1, 7, 64, MAX_BINS])
def test_it_is_the_orthonormal_transform_nearly(bins: int) -> None:
    blocks = GENERATOR.uniform(-128, 128, (5, BLOCK_FRAMES, bins)).astype(np.float16)
    exact = dct(dct(blocks.astype(np.float64), axis=1, norm="ortho"), axis=2, norm="ortho").reshape(5, -1)
    np.testing.assert_allclose(forward(blocks), exact, atol=0.05)


def test_a_block_does_not_depend_on_those_beside_it() -> None:
    blocks = GENERATOR.normal(0, 3, (600, BLOCK_FRAMES, 64))
    whole = forward(blocks)
    np.testing.assert_array_equal(whole, np.concatenate([forward(block[None]) for block in blocks]))
    codes, steps = np.rint(whole).astype(np.int16), np.ones(600, np.float32)
    alone = [inverse(code[None], steps[:1], 64) for code in codes]
    np.testing.assert_array_equal(inverse(codes, steps, 64), np.concatenate(alone))
