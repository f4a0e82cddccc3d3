"""A student trained by a driver of its own on a cluster of several nodes, watched through the run's files.

`python -m tests.cluster.training_run RECIPE LOG NODES STEP...`, the recipe as JSON, is a process of its own. It
starts with so many nodes besides the head, which each hold one worker. Once training goes on with all workers that
there is room for, it takes the next step: `grow` (two nodes more), `lose` (SIGKILL of a raylet) or `drain` (with
notice). It prints how long training took to go on, and with how many workers. Until the last step the training is
braked; then it finishes.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ssl_asr.recipe import Recipe
from tests.cluster.braked import STUDENT, brake_of
from tests.cluster.ray_nodes import Nodes, nodes

PATIENCE_SECONDS = 150.0  # on a busy machine, two new nodes once took 64
NOTICE_SECONDS = 6


@dataclass
class TrainingRun:
    """A driver, and what it and its workers have written so far."""

    recipe: Recipe
    environment: dict[str, str]
    log: Path

    def __post_init__(self) -> None:
        self.accounts = Path(self.recipe.run) / "training" / "student" / "slabs"
        self.before = set(self.accounts.glob("*"))  # of other students, trained in this run before

    def start(self) -> None:
        with open(self.log, "a") as log:
            command = [sys.executable, "-c", STUDENT, self.recipe.model_dump_json()]
            self.driver = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self.driver.kill()
        self.driver.wait()

    def ended(self) -> bool:
        return self.driver.poll() is not None

    def blocks(self) -> int:
        """Number of the newest block that is accounted for; 0 where there is none."""
        newest = self._newest()
        return 0 if newest is None else int(newest.stem)

    def workers(self) -> int:
        """That trained the newest block."""
        newest = self._newest()
        with contextlib.suppress(FileNotFoundError):
            return 0 if newest is None else len(json.loads(newest.read_bytes())["assignments"])
        return 0

    def _newest(self) -> Path | None:
        written = []
        for path in self.accounts.glob("*/*.json"):
            if path.parent in self.before:
                continue
            with contextlib.suppress(FileNotFoundError):  # what follows a checkpoint is deleted at a restart
                written.append((path.stat().st_mtime_ns, path))
        return max(written)[1] if written else None

    def wait_until(self, what: str, happened: Callable[[], bool]) -> float:
        """Seconds that it took; AssertionError where training ends before, or patience does."""
        began = time.monotonic()
        while not happened():
            assert time.monotonic() < began + PATIENCE_SECONDS, f"not {what} in time: {self.tail()}"
            assert not self.ended(), f"ended before: {what}; {self.tail()}"
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_for_blocks(self, more: int, workers: int) -> float:
        """Until so many workers have trained a block and then so many more: what a step lost is not what it made."""
        first: int | None = None

        def enough() -> bool:
            nonlocal first
            block = self.blocks()
            if self.workers() != workers:
                first = None
            elif first is None or block < first:
                first = block
            return first is not None and block >= first + more

        return self.wait_until(f"{more} blocks more with {workers} workers", enough)

    def tail(self) -> str:
        return self.log.read_text()[-3000:]


@contextmanager
def running(recipe: Recipe, environment: dict[str, str], log: Path) -> Iterator[TrainingRun]:
    run = TrainingRun(recipe, environment, log)
    run.start()
    try:
        yield run
    finally:
        run.kill()


def take(step: str, cluster: Nodes) -> None:
    if step == "grow":
        cluster.add_node()
        cluster.add_node()
    elif step == "lose":
        cluster.lose_node(0)
    else:
        assert step == "drain", f"no step is called {step}"
        cluster.drain_node(0, NOTICE_SECONDS)


def main(recipe_json: str, log: str, count: str, *steps: str) -> None:
    # So that the cluster is ended, too, where the test is given up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    recipe = Recipe.model_validate_json(recipe_json)
    brake_of(recipe.run).touch()
    with nodes(int(count)) as cluster, running(recipe, cluster.environment, Path(log)) as run:
        for step in ("begin", *steps):
            if step != "begin":
                take(step, cluster)
            workers = 1 + len(cluster.workers)
            seconds = run.wait_for_blocks(3, workers)
            told = {"step": step, "workers": workers, "block": run.blocks(), "seconds": round(seconds, 1)}
            print(json.dumps(told), flush=True)
        brake_of(recipe.run).unlink()
        assert run.driver.wait() == 0, f"the stage failed: {run.tail()}"


if __name__ == "__main__":
    main(*sys.argv[1:])
