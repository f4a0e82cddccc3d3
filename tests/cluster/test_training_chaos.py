"""Training while workers, nodes and drivers are killed: it ends, and every slab was trained on exactly once.

`make chaos` kills more often; SSL_ASR_CHAOS_KILLS and SSL_ASR_CHAOS_SEED say how often and by which draw.
SSL_ASR_CHAOS_RUN=runs/demo has the student of a whole demo killed, too, where labelling is done.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import accounted_keys
from ssl_asr.training.elastic.events import read_events, restarts
from ssl_asr.training.stage import run_student
from tests.cluster.braked import brake_of
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


def kill_every(blocks: int, kills: int, recipe: Recipe, log: Path) -> None:
    """Train, and kill so often, as often as so many blocks more are done.

    First the driver is killed, with which its Ray ends, and is started again; then one worker after the other.
    Training is braked until the last kill: a fast machine had done all blocks before it.
    """
    brake_of(recipe.run).touch()
    with running(recipe, own_ray(), log) as training:
        for number in range(kills):
            due = training.blocks() + blocks
            training.wait_until(f"at block {due}", lambda due=due: training.blocks() >= due)
            if number == 0:
                kill_driver(training)
            else:
                training.wait_until("a worker to kill", lambda number=number: kill_worker(training, number))
        brake_of(recipe.run).unlink()
        assert training.driver.wait() == 0, training.tail()


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


def check_weights_survive_kills(recipe: Recipe, folder: Path, every: int, kills: int, **student: float) -> None:
    """They are those of an unbroken training, bit for bit."""
    killed = own_run(recipe, folder / "killed", (2, 2), **student)
    kill_every(every, kills, killed, folder / "driver.log")
    # The killed driver may not have told of its start.
    assert restarts(read_events(killed.run, "student")) >= kills - 1
    every_slab_was_trained_on_once(killed)

    unbroken = own_run(recipe, folder / "unbroken", (2, 2), **student)
    with simulated_training():
        run_student(unbroken)
    models = [filesystem.read_bytes(model_uri(each.run, "student")) for each in (killed, unbroken)]
    assert models[0] == models[1]


def test_a_driver_and_workers_killed_every_few_blocks_change_nothing(
    labelled_run: Recipe, tmp_path: Path, ray_local: None
) -> None:
    """Not a bit of the weights: what the spread of seeds is need not be known."""
    check_weights_survive_kills(labelled_run, tmp_path, every=5, kills=4, unlabeled_passes=1.0)


@pytest.mark.timeout(7200)
def test_a_driver_and_workers_killed_every_few_blocks_of_a_whole_demo_change_nothing(
    demo: Recipe, tmp_path: Path, ray_local: None
) -> None:
    check_weights_survive_kills(demo, tmp_path, every=10, kills=10)
