"""Speakers of open speech who may be several people are neither trained on nor verified; one's own all are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.speakers.batches import BatchShape
from ssl_asr.speakers.embedders import embed_splits, embedder_of
from ssl_asr.speakers.extracting import train_extractor
from ssl_asr.speakers.pool import PoolSettings, read_pool
from ssl_asr.speakers.settings import TrainingSettings
from ssl_asr.speakers.table import format_verification
from ssl_asr.speakers.trials import TrialSettings
from ssl_asr.speakers.verified_run import verify_speakers
from ssl_asr.store.ledger import Shard
from tests.in_process import placed_here
from tests.pinned import PINNED
from tests.speakers.made_up import made_up_run, publish, said_by

SCENE = "queen-scene-intro 7"  # as the game's reader names a scene of which nobody knows who speaks
LABELED = PoolSettings(splits=("labeled",))
SETTINGS = TrainingSettings(layers=1, units=8, dimensions=4, shape=BatchShape(4, 3, 20), steps=2)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    found = made_up_run(tmp_path_factory.mktemp("run"), tested=5)
    publish(found.run, Shard("labeled", 2), said_by(SCENE, 5, "labeled"))
    publish(found.run, Shard("test", 1), said_by(SCENE.replace("7", "9"), 5, "test"))
    return found


def with_own_speech(recipe: Recipe) -> Recipe:
    own = [f"corpus.{split}=nemo:{Path(recipe.run, 'mine.jsonl')}" for split in ("labeled", "test")]
    return load_recipe("demo", [f"run={recipe.run}", *PINNED, "evaluate.bootstrap=100", *own])


def test_they_are_not_trained_on(recipe: Recipe) -> None:
    pool = read_pool(recipe, LABELED)
    assert (len(pool.speakers), pool.several, pool.single) == (6, 1, 2)
    assert SCENE not in pool.speakers
    own = read_pool(with_own_speech(recipe), LABELED)
    assert (len(own.speakers), own.several) == (7, 0)
    assert SCENE in own.speakers


def test_they_are_in_no_trial_and_that_is_told(recipe: Recipe) -> None:
    with placed_here():
        assert train_extractor(recipe, "small", LABELED, SETTINGS).several == 1
    embed_splits(recipe.run, "small", embedder_of(recipe, "small"), ["test"])
    found = verify_speakers(recipe, "small", None, TrialSettings())
    assert (found.several, found.trained, found.results.everything.speakers) == (1, 1, 5)
    assert "Not in trials, as each may be several people: 1 test speakers." in format_verification(found)
    own = verify_speakers(with_own_speech(recipe), "small", None, TrialSettings())
    assert (own.several, own.results.everything.speakers) == (0, 6)
    assert "several" not in format_verification(replace(own, run="runs/mine"))
