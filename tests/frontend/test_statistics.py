"""Sums of features merge to what one pass over all of them gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_asr.frontend.statistics import LEAST_DEVIATION, global_statistics, sums_of
from ssl_asr.store import features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore


def test_sums_of_parts_add_up_to_one_pass() -> None:
    generator = np.random.default_rng(0)
    utterances = [(generator.standard_normal((n, 6)) * 4 - 2).astype(np.float16) for n in (5, 0, 80, 31)]
    total = sums_of(utterances[:1], 6) + sums_of(utterances[1:3], 6) + sums_of(utterances[3:], 6)
    everything = np.concatenate(utterances).astype(np.float64)
    mean, deviation = total.mean_and_deviation()
    np.testing.assert_allclose(mean, everything.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, everything.std(axis=0), rtol=1e-6)
    assert total.count == 116


def test_sums_survive_the_ledger_and_its_index_to_the_last_bit(tmp_path: Path) -> None:
    sums = sums_of([np.random.default_rng(1).standard_normal((40, 6))], 6)
    store = ShardStore(str(tmp_path), features.STORE)
    empty = {"parents": {}, "metadata": {}, "statistics": sums.to_statistics()}
    store.publish(Shard("labeled", 0), features.SCHEMA, [], [], seconds=0.4, **empty)
    for _ in range(2):
        lists = store.lists("labeled")
        assert store.index("labeled").statistic("count").tolist() == [sums.count]
        np.testing.assert_array_equal(lists.matrix("sum"), [sums.sum])
        np.testing.assert_array_equal(lists.matrix("square_sum"), [sums.square_sum])
    for mine, total in zip(global_statistics(str(tmp_path)), sums.mean_and_deviation(), strict=True):
        np.testing.assert_array_equal(mine, total)


def test_a_bin_that_never_changes_can_be_divided_by() -> None:
    _, deviation = sums_of([np.full((50, 2), 3.0)], 2).mean_and_deviation()
    np.testing.assert_allclose(deviation, LEAST_DEVIATION)


def test_a_run_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no labeled features yet; run the frontend stage"):
        global_statistics(str(tmp_path))
