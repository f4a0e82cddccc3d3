"""Labelling while actors, nodes and drivers are killed: the store is that of an unbroken run, to the byte.

`make chaos` kills more often; SSL_ASR_CHAOS_KILLS and SSL_ASR_CHAOS_SEED say how often and by which draw.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ssl_asr.labelling.stage import run_labelling
from ssl_asr.recipe import Recipe
from ssl_asr.store import targets
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import list_temporary
from ssl_asr.verifying.run import verify
from tests.cluster.chaos import with_k
from tests.cluster.processes import module_of_tests
from tests.labelling.conftest import target_store, with_actors
from tests.labelling.small_shards import ROWS, run_of_small_shards, run_with_slow_teacher
from tests.labelling.test_kill_and_resume import contents

pytestmark = pytest.mark.cluster

KILLS = int(os.environ.get("SSL_ASR_CHAOS_KILLS", "10"))
SEED = int(os.environ.get("SSL_ASR_CHAOS_SEED", "1"))
SHARDS = 50


@pytest.fixture
def whole(feature_run: Recipe, tmp_path: Path) -> Recipe:
    """Many small shards and a teacher that takes some tenths of a second for each."""
    recipe = run_with_slow_teacher(feature_run, tmp_path / "features")
    return run_of_small_shards(recipe, tmp_path / "whole", SHARDS)


def shaken(recipe: Recipe, log: Path) -> list[Recipe]:
    """Labels, with all kills, in a process of its own; the recipes of what it labelled, each of another k."""
    arguments = (recipe.model_dump_json(), str(KILLS), str(SEED), str(log))
    with module_of_tests("tests.cluster.chaos", *arguments) as told:
        lines = list(told)
    return [with_k(recipe, k) for k in json.loads(lines[-1])]


@pytest.mark.timeout(240 + 15 * KILLS)
def test_the_store_survives_kills(whole: Recipe, tmp_path: Path) -> None:
    shutil.copytree(whole.run, tmp_path / "run")
    recipe = whole.model_copy(update={"run": str(tmp_path / "run")})
    done = shaken(recipe, tmp_path / "driver.log")
    for each in done:
        unbroken = with_actors(with_k(whole, each.labelling.k), 2, 2)
        run_labelling(unbroken)
        assert contents(each) == contents(unbroken)
        nothing_is_missing_or_there_twice(each)
    assert list_temporary(recipe.run) == []
    assert verify(done[-1]).findings == []


def nothing_is_missing_or_there_twice(recipe: Recipe) -> None:
    store = target_store(recipe)
    shards = [Shard("unlabeled", number) for number in range(SHARDS)]
    assert [entry.shard for entry in store.entries("unlabeled")] == shards
    rows = [row.id for shard in shards for slab in store.read_slabs(shard) for row in targets.decode(slab)]
    assert len(rows) == len(set(rows)) == SHARDS * ROWS
