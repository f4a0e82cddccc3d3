"""Features at 8 bits: within half a step of every dimension of every utterance."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.store import features
from ssl_asr.store.feature_codec import LEVELS, quantise, restore
from ssl_asr.store.features import FeatureRow

GENERATOR = np.random.default_rng(0)


def test_error_is_within_half_a_step_of_each_dimension() -> None:
    frames = (GENERATOR.normal(0, 3, (200, 64)) * GENERATOR.uniform(0.1, 4, 64)).astype(np.float16)
    step = (frames.max(axis=0).astype(np.float32) - frames.min(axis=0)) / LEVELS
    error = np.abs(restore(quantise(frames)).astype(np.float32) - frames)
    # Half precision rounds what comes back once more: by 2^-11 of a value.
    assert (error <= step / 2 + np.abs(frames.astype(np.float32)) * 2**-11 + 1e-4).all()


@pytest.mark.parametrize("frames", [np.zeros((0, 5)), np.full((3, 5), 1.5), np.array([[1.0, -2, 3, 4, 5]])])
def test_what_does_not_move_comes_back_exactly(frames: np.ndarray) -> None:
    np.testing.assert_array_equal(restore(quantise(frames.astype(np.float16))), frames.astype(np.float16))


def test_rows_come_back_from_either_width() -> None:
    rows = [
        FeatureRow(name, "s", "clean", GENERATOR.normal(0, 3, (count, 8)).astype(np.float16))
        for name, count in (("a", 30), ("b", 0), ("c", 7))
    ]
    for bits, error in ((16, 0.0), (8, 0.05)):
        table = features.encode(rows, bits)
        assert table.schema.equals(features.SCHEMAS[bits])
        for row, back in zip(rows, features.decode(table, 8), strict=True):
            assert (back.id, back.speaker, back.condition) == (row.id, row.speaker, row.condition)
            np.testing.assert_allclose(back.frames, row.frames, atol=error)
