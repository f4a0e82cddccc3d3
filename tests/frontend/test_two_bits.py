"""The front end at 2 bits on recorded speech: near the features of 16 bits, and the same for every reader."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.frontend.prior import read_prior
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.frontend.statistics import sums_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, layout
from ssl_asr.store.cosine_codec import STEP
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.integrity import check_shard
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.verifying.shard_check import SCHEMAS

SHARDS = (Shard("labeled", 0), Shard("unlabeled", 0), Shard("test", 0))


@pytest.fixture(scope="module")
def coded(feature_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A copy of the run; these shards of it have 2 bits, and the others 16."""
    run = tmp_path_factory.mktemp("coded") / "run"
    shutil.copytree(feature_run.run, run)
    frontend = feature_run.frontend.model_copy(update={"feature_bits": 2})
    recipe = feature_run.model_copy(update={"run": str(run), "frontend": frontend})
    job = FeatureJob(recipe, read_prior(recipe.run))
    for shard in SHARDS:
        job(shard)
    return recipe


def rows_of(recipe: Recipe, shard: Shard) -> list[FeatureRow]:
    slabs = ShardStore(recipe.run, features.STORE).read_slabs(shard)
    return [row for slab in slabs for row in features.decode(slab, recipe.frontend.mel_bins)]


@pytest.mark.parametrize("shard", SHARDS, ids=str)
def test_real_speech_comes_back_nearly(feature_run: Recipe, coded: Recipe, shard: Shard) -> None:
    squares, values = 0.0, 0
    for row, back in zip(rows_of(feature_run, shard), rows_of(coded, shard), strict=True):
        assert (back.id, back.speaker, back.condition) == (row.id, row.speaker, row.condition)
        assert back.frames.shape == row.frames.shape
        gaps = back.frames.astype(np.float64) - row.frames
        assert np.sqrt(np.square(gaps).mean()) < 0.6 * STEP
        squares, values = squares + np.square(gaps).sum(), values + gaps.size
    assert 0.1 * STEP < np.sqrt(squares / values) < 0.32 * STEP
    whole, small = (ShardStore(recipe.run, features.STORE).entry(shard) for recipe in (feature_run, coded))
    assert whole is not None
    assert small is not None
    assert small.statistics["bytes_per_frame"] < whole.statistics["bytes_per_frame"] / 5
    assert (small.slabs, small.rows, small.seconds) == (whole.slabs, whole.rows, whole.seconds)


def test_statistics_are_those_of_what_is_heard(coded: Recipe) -> None:
    entry = ShardStore(coded.run, features.STORE).entry(SHARDS[0])
    assert entry is not None
    heard = sums_of((row.frames for row in rows_of(coded, SHARDS[0])), coded.frontend.mel_bins).to_statistics()
    assert {name: entry.statistics[name] for name in heard} == heard


def test_a_shard_is_whole_and_made_again_to_the_byte(coded: Recipe) -> None:
    store, shard = ShardStore(coded.run, features.STORE), SHARDS[0]
    checked = check_shard(store, shard, SCHEMAS[layout.FEATURES], lambda slab: None)
    assert checked.damage == ""
    file = Path(store.uri(shard))
    before, written = file.read_bytes(), file.stat().st_mtime_ns
    FeatureJob(coded, read_prior(coded.run))(shard)
    assert file.stat().st_mtime_ns == written, "it was done"
    file.unlink()
    FeatureJob(coded, read_prior(coded.run))(shard)
    assert file.read_bytes() == before
