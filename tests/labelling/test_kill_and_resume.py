"""kill -9 while labelling, then another number of actors: the store is that of an unbroken run, to the byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ssl_asr.labelling.stage import run_labelling
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from tests.cluster.processes import descendants, title
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


def wait_for_first_entry(recipe: Recipe, seconds: float = 120) -> None:
    store, until = target_store(recipe), time.monotonic() + seconds
    while not store.entries("unlabeled"):
        assert time.monotonic() < until, "no shard was labelled in time"
        time.sleep(0.01)


@pytest.mark.timeout(240)
def test_the_driver_killed_after_its_first_shard(own_run: Recipe, labelled_run: Recipe) -> None:
    one = with_actors(own_run, 1, 1)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    driver = subprocess.Popen([sys.executable, "-c", STAGE, one.model_dump_json()], env=environment)
    try:
        wait_for_first_entry(one)
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    done, shards = len(target_store(one).entries("unlabeled")), len(target_store(labelled_run).entries("unlabeled"))
    assert 1 <= done < shards, "killed too late to mean anything"
    report = run_labelling(with_actors(own_run, 2, 2))
    assert report.skipped >= done
    assert contents(own_run) == contents(labelled_run)


@pytest.mark.timeout(240)
def test_a_teacher_actor_killed_mid_shard(own_run: Recipe, labelled_run: Recipe) -> None:
    one = with_actors(own_run, 1, 1)
    stage = threading.Thread(target=run_labelling, args=[one])
    stage.start()
    wait_for_first_entry(one)
    actors = [one for one in descendants(os.getpid()) if "MapWorker" in title(one.pid)]
    assert actors, "no actor to kill"
    for actor in actors:
        os.kill(actor.pid, signal.SIGKILL)
    stage.join()
    assert contents(own_run) == contents(labelled_run)
