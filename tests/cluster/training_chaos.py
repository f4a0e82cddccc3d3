"""Students trained on a cluster of three nodes whose workers, nodes and drivers are killed at drawn moments.

`python -m tests.cluster.training_chaos RECIPE KILLS SEED LOG`, the recipe as JSON, is a process of its own. It prints
every kill, and last the learning rates of the students that it trained, each a training of its own.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ssl_asr.recipe import Recipe
from tests.cluster.processes import kill
from tests.cluster.ray_nodes import WORKER_NODES, Nodes, nodes
from tests.cluster.training_run import running

# How often each kind of victim is drawn, and how often a kill waits until the last one has been overcome: else it
# hits workers that are starting.
WEIGHTS = {"worker": 6, "node": 2, "driver": 2}
PATIENT, PATIENCE_SECONDS = 0.5, 45.0
LONGEST_DELAY = 1.5


@dataclass
class Chaos:
    """`kills` victims drawn by `seed` while one of `recipes` after another is trained."""

    nodes: Nodes
    recipes: Iterator[Recipe]
    kills: int
    seed: int
    log: Path
    done: list[Recipe] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WEIGHTS, 0))

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.began = time.monotonic()

    def run(self) -> list[Recipe]:
        """The recipes whose students were finished under fire."""
        while sum(self.killed.values()) < self.kills:
            self._train(next(self.recipes))
        assert self.kills < 20 or all(self.killed.values()), f"a kind of victim was never found: {self.killed}"
        return self.done

    def _train(self, recipe: Recipe) -> None:
        with running(recipe, self.nodes.environment, self.log) as self.training:
            while not self.training.ended():
                self._kill_one()
            assert self.training.driver.returncode == 0, f"the stage failed: {self.training.tail()}"
        self.done.append(recipe)

    def _kill_one(self) -> None:
        """Or none, where training ends or all kills are used up."""
        if self.draw.random() < PATIENT:
            self._wait_for_progress()
        self._wait(self.draw.uniform(0, LONGEST_DELAY))
        if self.training.ended() or sum(self.killed.values()) == self.kills:
            self._wait(0.2)
            return
        (kind,) = self.draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
        blocks = self.training.blocks()
        victim = getattr(self, f"_kill_{kind}")()
        if victim:
            self.killed[kind] += 1
            seconds, number = time.monotonic() - self.began, sum(self.killed.values())
            where = f"student {len(self.done) + 1}, block {blocks}"
            print(f"seed {self.seed}, {seconds:6.1f} s, {where}: kill {number} of {self.kills}: {victim}", flush=True)

    def _kill_worker(self) -> str:
        workers = self.nodes.train_workers()
        if not workers:
            return ""
        victim = self.draw.choice(workers)
        return f"worker {victim.pid} of {len(workers)}" if kill(victim) else ""

    def _kill_node(self) -> str:
        index = self.draw.randrange(WORKER_NODES)
        return f"node {index}, raylet {self.nodes.kill_node(index)}"

    def _kill_driver(self) -> str:
        pid = self.training.driver.pid
        self.training.kill()
        self.training.start()
        return f"driver {pid}"

    def _wait_for_progress(self) -> None:
        """Until two blocks more are trained, training ends, or patience does."""
        before, until = self.training.blocks(), time.monotonic() + PATIENCE_SECONDS
        while self.training.blocks() < before + 2 and not self.training.ended() and time.monotonic() < until:
            time.sleep(0.05)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.training.ended() and time.monotonic() < until:
            time.sleep(0.02)


def with_rate(recipe: Recipe, rate: float) -> Recipe:
    optimiser = recipe.student.optimiser.model_copy(update={"learning_rate": rate})
    return recipe.model_copy(update={"student": recipe.student.model_copy(update={"optimiser": optimiser})})


def main(recipe_json: str, kills: str, seed: str, log: str) -> None:
    # So that the cluster is ended, too, where the test is given up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    recipe = Recipe.model_validate_json(recipe_json)
    students = (with_rate(recipe, 1e-3 * 1.01**number) for number in range(10**6))
    with nodes() as cluster:
        done = Chaos(cluster, students, int(kills), int(seed), Path(log)).run()
    print(json.dumps([each.student.optimiser.learning_rate for each in done]))


if __name__ == "__main__":
    main(*sys.argv[1:])
