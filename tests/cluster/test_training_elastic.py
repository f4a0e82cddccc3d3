"""Training while machines come, are killed, and go after notice: it goes on with what there is and ends exactly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.training.elastic.events import read_events, restarts
from tests.cluster.processes import module_of_tests
from tests.cluster.training_helpers import every_slab_was_trained_on_once, own_ray, own_run

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class Case:
    """`nodes` besides the head, then the steps; `workers` of each, from the beginning."""

    nodes: int
    steps: tuple[str, ...]
    workers: tuple[int, ...]
    unlabeled_passes: float
    checkpoint_blocks: int


CASES = {
    # Braked, one worker is not through before the last step: 198 slabs of half a second or more. Its checkpoints are
    # those of a sub-epoch's end, of which there are few, and that of the notice.
    "bmuf": Case(0, ("grow", "lose", "drain"), (1, 3, 2, 1), 15.0, 1000),
    # Residuals of lost workers are dealt anew; that of workers that come is tested in tests/training/sync.
    "gtc": Case(2, ("lose",), (3, 2), 6.0, 1),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("strategy", list(CASES))
def test_student_is_trained_by_as_many_workers_as_there_are(
    labelled_run: Recipe, tmp_path: Path, strategy: str
) -> None:
    case, log = CASES[strategy], tmp_path / "driver.log"
    sync = {"strategy": strategy, "gtc_dense_steps": 4, "checkpoint_blocks": case.checkpoint_blocks}
    student = {"unlabeled_passes": case.unlabeled_passes, "network": {"units": 128}, "sync": sync}
    recipe = own_run(labelled_run, tmp_path / "run", (1, 3), **student)
    arguments = (recipe.model_dump_json(), str(log), str(case.nodes), *case.steps)
    with module_of_tests("tests.cluster.training_run", *arguments, environment=own_ray()) as lines:
        told = [json.loads(line) for line in lines]
    assert tuple(step["workers"] for step in told) == case.workers
    blocks = every_slab_was_trained_on_once(recipe)
    if case.checkpoint_blocks == 1:  # else what three workers did is lost with one of them
        assert {block["workers"] for block in blocks} >= set(case.workers)

    kinds = [event.kind for event in read_events(recipe.run, "student")]
    assert kinds[0] == "begun"
    assert kinds[-1] == "finished"
    assert restarts(read_events(recipe.run, "student")) >= len(case.steps)
    said = log.read_text()
    assert "lost (" in said or "connections between workers broke" in said
    if "grow" in case.steps:
        # A busy machine takes longer, as its start shows: 20 s is usual on two cores.
        busy = max(told[0]["seconds"] / 20, 1)
        assert told[1]["seconds"] < 60 * busy, "new nodes are used within a minute"
        assert "the cluster has changed; 3 workers continue from block" in said
    if "drain" in case.steps:
        noticed = re.search("a machine was taken away after notice; 1 worker continues from block (\\d+)", said)
        assert noticed is not None
        assert int(noticed[1]) >= told[2]["block"], "the notice brought no checkpoint"
