"""A cluster that begins as a head alone grows for the job, replaces a node that is lost, and shrinks to the head."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.store.ledger import Shard
from ssl_asr.store.listing import list_temporary
from ssl_asr.verifying.run import verify
from tests.cluster.autoscaling import WORKERS
from tests.cluster.head import client_environment
from tests.cluster.processes import module_of_tests
from tests.labelling.conftest import target_store, with_actors
from tests.labelling.small_shards import run_of_small_shards, run_with_slow_teacher

pytestmark = pytest.mark.cluster

SHARDS = 120
EVENTS = ["began", "grown", "labelling", "killed", "lost", "replaced", "labelled", "shrunk"]


@pytest.fixture
def small_shards(feature_run: Recipe, tmp_path: Path) -> Recipe:
    """Work for half a minute: many small shards and a teacher that takes some tenths of a second for each."""
    recipe = run_with_slow_teacher(feature_run, tmp_path / "features")
    # As many actors as nodes, each of a whole CPU, so that a lost node is missed.
    whole_cpus = recipe.model_copy(update={"cluster": recipe.cluster.model_copy(update={"cpus_per_worker": 1.0})})
    return with_actors(run_of_small_shards(whole_cpus, tmp_path / "run", SHARDS), WORKERS, WORKERS)


def labelled_on_spot(recipe: Recipe, log: Path) -> list[dict[str, object]]:
    """What happened, in order, in a process of its own; it and all it started are ended."""
    arguments = (recipe.model_dump_json(), str(log))
    with module_of_tests("tests.cluster.autoscaling", *arguments, environment=client_environment()) as told:
        # Ray tells of the lost node, too.
        return [json.loads(line) for line in told if line.startswith("{")]


@pytest.mark.timeout(240)
def test_grows_replaces_and_shrinks(small_shards: Recipe, tmp_path: Path) -> None:
    events = labelled_on_spot(small_shards, tmp_path / "driver.log")
    assert [one["event"] for one in events] == EVENTS
    value = {one["event"]: one["value"] for one in events}
    assert value["began"] is True
    assert (value["grown"], value["lost"], value["replaced"]) == (WORKERS, WORKERS - 1, WORKERS)
    assert value["labelled"] == SHARDS
    assert value["shrunk"] == 0
    shards = [Shard("unlabeled", number) for number in range(SHARDS)]
    assert [entry.shard for entry in target_store(small_shards).entries("unlabeled")] == shards
    assert list_temporary(small_shards.run) == []
    assert verify(small_shards).findings == []
