"""Training while machines come, are killed, and go after notice: it goes on with what there is and ends exactly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.training.elastic.events import read_events, restarts
from tests.cluster.processes import module_of_tests
from tests.cluster.training_helpers import every_slab_was_trained_on_once, own_ray, own_run

pytestmark = pytest.mark.cluster

STEPS = {"bmuf": ["grow", "lose", "drain"], "gtc": ["grow", "lose"]}
WORKERS = {"bmuf": [1, 3, 2, 1], "gtc": [1, 3, 2]}
# BMUF's only at a sub-epoch's end, of which there are few, unless there is a notice.
CHECKPOINT_BLOCKS = {"bmuf": 1000, "gtc": 1}


@pytest.mark.parametrize("strategy", list(STEPS))
def test_student_is_trained_by_one_three_and_two_workers(labelled_run: Recipe, tmp_path: Path, strategy: str) -> None:
    sync = {"strategy": strategy, "gtc_dense_steps": 20, "checkpoint_blocks": CHECKPOINT_BLOCKS[strategy]}
    # Long enough that a fast machine is not through before the last step is taken.
    recipe = own_run(labelled_run, tmp_path / "run", (1, 3), unlabeled_passes=45.0, network={"units": 128}, sync=sync)
    log = tmp_path / "driver.log"
    arguments = (recipe.model_dump_json(), str(log), "0", *STEPS[strategy])
    with module_of_tests("tests.cluster.training_run", *arguments, environment=own_ray()) as lines:
        told = [json.loads(line) for line in lines]
    assert [step["workers"] for step in told] == WORKERS[strategy]
    assert told[1]["seconds"] < 60, "new nodes are used within a minute"
    blocks = every_slab_was_trained_on_once(recipe)
    if CHECKPOINT_BLOCKS[strategy] == 1:  # else what three workers did is lost with one of them
        assert {block["workers"] for block in blocks} >= set(WORKERS[strategy])

    kinds = [event.kind for event in read_events(recipe.run, "student")]
    assert kinds[0] == "begun"
    assert kinds[-1] == "finished"
    assert restarts(read_events(recipe.run, "student")) >= len(STEPS[strategy])
    said = log.read_text()
    assert "the cluster has changed; 3 workers continue from block" in said
    assert "lost (" in said or "connections between workers broke" in said
    if strategy == "bmuf":
        noticed = re.search("a machine was taken away after notice; 1 worker continues from block (\\d+)", said)
        assert noticed is not None
        assert int(noticed[1]) >= told[2]["block"], "the notice brought no checkpoint"
