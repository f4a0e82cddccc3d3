"""kill -9 while labelling, then another number of actors: the store is that of an unbroken run, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.labelling.stage import run_labelling
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from tests.kill_and_resume import kill_actors_after_their_first_shard, kill_driver_after_its_first_shard
from tests.labelling.conftest import target_store, with_actors

STAGE = """
import sys
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.recipe import Recipe
run_labelling(Recipe.model_validate_json(sys.argv[1]))
"""


def contents(recipe: Recipe) -> dict[str, bytes]:
    """Every file of the target store and of its ledger."""
    store = target_store(recipe)
    below = [filesystem.join(recipe.run, name) for name in (store.name, f"ledger/{store.name}")]
    files = [path for folder in below for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(recipe.run)): path.read_bytes() for path in files}


def labelled(recipe: Recipe) -> int:
    """How many shards are."""
    return len(target_store(recipe).entries("unlabeled"))


@pytest.mark.timeout(240)
def test_the_driver_killed_after_its_first_shard(own_run: Recipe, labelled_run: Recipe) -> None:
    done = kill_driver_after_its_first_shard(STAGE, with_actors(own_run, 1, 1), lambda: labelled(own_run))
    assert 1 <= done < labelled(labelled_run), "killed too late to mean anything"
    report = run_labelling(with_actors(own_run, 2, 2))
    assert report.skipped >= done
    assert contents(own_run) == contents(labelled_run)


@pytest.mark.timeout(240)
def test_a_teacher_actor_killed_mid_shard(own_run: Recipe, labelled_run: Recipe) -> None:
    then = kill_actors_after_their_first_shard(run_labelling, with_actors(own_run, 1, 1), lambda: labelled(own_run))
    assert then < labelled(labelled_run), "killed too late to mean anything"
    assert contents(own_run) == contents(labelled_run)
