"""Training while workers, nodes and drivers are killed: it ends, and every slab was trained on exactly once.

`make chaos` kills more often; SSL_ASR_CHAOS_KILLS and SSL_ASR_CHAOS_SEED say how often and by which draw.
SSL_ASR_CHAOS_RUN=runs/demo has the student of a whole demo killed, too, where labelling is done.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import accounted_keys
from ssl_asr.training.elastic.events import read_events, restarts
from ssl_asr.training.stage import run_student
from tests.cluster.processes import descendants, kill, module_of_tests, title
from tests.cluster.training_chaos import with_rate
from tests.cluster.training_helpers import every_slab_was_trained_on_once, own_ray, own_run
from tests.cluster.training_run import TrainingRun, running
from tests.training.simulated_stages import simulated_training

pytestmark = pytest.mark.cluster

KILLS = int(os.environ.get("SSL_ASR_CHAOS_KILLS", "10"))
SEED = int(os.environ.get("SSL_ASR_CHAOS_SEED", "1"))
RUN = os.environ.get("SSL_ASR_CHAOS_RUN")


@pytest.mark.timeout(300 + 40 * KILLS)
def test_students_survive_kills_of_workers_nodes_and_drivers(labelled_run: Recipe, tmp_path: Path) -> None:
    recipe = own_run(labelled_run, tmp_path / "run", (1, 3), unlabeled_passes=10.0, network={"units": 128})
    arguments = (recipe.model_dump_json(), str(KILLS), str(SEED), str(tmp_path / "driver.log"))
    with module_of_tests("tests.cluster.training_chaos", *arguments, environment=own_ray()) as told:
        lines = list(told)
    done = [with_rate(recipe, rate) for rate in json.loads(lines[-1])]
    keys = accounted_keys(recipe.run, "student")
    assert len(keys) == len(done)
    for key in keys:
        every_slab_was_trained_on_once(recipe, key)


def killed_at_every(blocks: int, recipe: Recipe, log: Path) -> int:
    """Train, and kill as often as so many blocks more are done; how often that was.

    First the driver is killed, with which its Ray ends, and is started again; then one worker after the other.
    """
    kills, due = 0, blocks
    with running(recipe, own_ray(), log) as training:
        while not training.ended():
            if training.blocks() >= due:
                if kills == 0:
                    kill_driver(training)
                elif not kill_worker(training, kills):
                    continue
                kills, due = kills + 1, training.blocks() + blocks
            time.sleep(0.02)
        assert training.driver.returncode == 0, training.tail()
    return kills


def kill_driver(training: TrainingRun) -> None:
    """And start another, which has a checkpoint to go on from and no model."""
    training.kill()
    run = training.recipe.run
    assert [*Path(run, "training", "student", "checkpoints").glob("*/*/shared.safetensors")], "no checkpoint yet"
    assert not filesystem.exists(model_uri(run, "student")), "killed too late to show anything"
    training.start()


def kill_worker(training: TrainingRun, number: int) -> bool:
    """False where there is none now."""
    workers = [one for one in descendants(training.driver.pid) if "RayTrainWorker" in title(one.pid)]
    return bool(workers) and kill(workers[number % len(workers)])


@pytest.fixture
def demo() -> Recipe:
    if RUN is None:
        pytest.skip("SSL_ASR_CHAOS_RUN names no run whose student is to be killed")
    return open_recipe(RUN)


def check_weights_survive_kills(recipe: Recipe, folder: Path, every: int, **student: float) -> int:
    """How many kills it took to find the weights of an unbroken training all the same."""
    killed = own_run(recipe, folder / "killed", (2, 2), **student)
    kills = killed_at_every(every, killed, folder / "driver.log")
    assert (
        restarts(read_events(killed.run, "student")) >= kills - 1
    )  # the killed driver may not have told of its start
    every_slab_was_trained_on_once(killed)

    unbroken = own_run(recipe, folder / "unbroken", (2, 2), **student)
    with simulated_training():
        run_student(unbroken)
    models = [filesystem.read_bytes(model_uri(each.run, "student")) for each in (killed, unbroken)]
    assert models[0] == models[1]
    return kills


def test_a_driver_and_workers_killed_every_few_blocks_change_nothing(
    labelled_run: Recipe, tmp_path: Path, ray_local: None
) -> None:
    """Not a bit of the weights: what the spread of seeds is need not be known."""
    assert check_weights_survive_kills(labelled_run, tmp_path, 5, unlabeled_passes=1.0) >= 4


@pytest.mark.timeout(7200)
def test_a_driver_and_workers_killed_every_few_blocks_of_a_whole_demo_change_nothing(
    demo: Recipe, tmp_path: Path, ray_local: None
) -> None:
    assert check_weights_survive_kills(demo, tmp_path, 10) >= 4
