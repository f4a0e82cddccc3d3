"""Sums of features merge to what one pass over all of them gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.frontend.statistics import LEAST_DEVIATION, Sums, global_statistics, sums_of


def test_sums_of_parts_add_up_to_one_pass() -> None:
    generator = np.random.default_rng(0)
    utterances = [(generator.standard_normal((n, 6)) * 4 - 2).astype(np.float16) for n in (5, 0, 80, 31)]
    total = sums_of(utterances[:1], 6) + sums_of(utterances[1:3], 6) + sums_of(utterances[3:], 6)
    everything = np.concatenate(utterances).astype(np.float64)
    mean, deviation = total.mean_and_deviation()
    np.testing.assert_allclose(mean, everything.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, everything.std(axis=0), rtol=1e-6)
    assert total.count == 116


def test_sums_survive_the_ledger_to_the_last_bit() -> None:
    sums = sums_of([np.random.default_rng(1).standard_normal((40, 6))], 6)
    back = Sums.from_statistics(json.loads(json.dumps(sums.to_statistics())))
    assert back.count == sums.count
    np.testing.assert_array_equal(back.sum, sums.sum)
    np.testing.assert_array_equal(back.square_sum, sums.square_sum)


def test_a_bin_that_never_changes_can_be_divided_by() -> None:
    _, deviation = sums_of([np.full((50, 2), 3.0)], 2).mean_and_deviation()
    np.testing.assert_allclose(deviation, LEAST_DEVIATION)


def test_a_run_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no training features yet; run the frontend stage"):
        global_statistics(str(tmp_path))
