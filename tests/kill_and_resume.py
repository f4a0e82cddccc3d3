"""A stage killed with SIGKILL once its first shard is made: its driver with all of it, or its actors alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from ssl_asr.recipe import Recipe
from tests.cluster.processes import Process, descendants, title
from tests.cluster.training_helpers import own_ray

PATIENCE_SECONDS = 200.0


def kill_driver_after_its_first_shard(code: str, recipe: Recipe, made: Callable[[], int]) -> int:
    """How many shards there are then. `code` is a driver's with a Ray of its own, which gets the recipe as JSON."""
    driver = subprocess.Popen([sys.executable, "-c", code, recipe.model_dump_json()], env=own_ray())
    try:
        _wait_until(lambda: made() > 0, "no shard was made in time")
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    return made()


def kill_actors_after_their_first_shard(
    stage: Callable[[Recipe], object], recipe: Recipe, made: Callable[[], int]
) -> int:
    """Those of this process's Ray. Returns how many shards there were then, once the stage has ended, which goes on
    with others.
    """
    running = threading.Thread(target=stage, args=[recipe])
    running.start()
    _wait_until(lambda: bool(_actors()), "no actor was started in time")
    before = made()  # by now, what a killed driver had started has ended
    _wait_until(lambda: made() > before, "no shard was made in time")
    actors = _actors()
    assert actors, "no actor to kill"
    for actor in actors:
        os.kill(actor.pid, signal.SIGKILL)
    then = made()
    running.join()
    return then


def _actors() -> list[Process]:
    return [each for each in descendants(os.getpid()) if "MapWorker" in title(each.pid)]


def _wait_until(happened: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)
