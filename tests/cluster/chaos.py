"""A labelling run on a cluster of several nodes whose actors, nodes and drivers are killed at drawn moments.

`python -m tests.cluster.chaos RECIPE KILLS SEED LOG`, the recipe as JSON, is a process of its own, because Ray ends
whichever process had a cluster that is gone. It prints every kill, and last the values of k that it labelled with.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ssl_asr.recipe import Recipe
from tests.cluster.processes import kill
from tests.cluster.ray_nodes import WORKER_NODES, Nodes, nodes
from tests.labelling.conftest import target_store, with_actors
from tests.labelling.test_kill_and_resume import STAGE

POOLS = [(1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]  # actors: the least and the most
# How often each kind of victim is drawn, and how often a kill waits until the last one has been overcome.
WEIGHTS = {"actor": 6, "node": 2, "driver": 2}
PATIENT, PATIENCE_SECONDS = 0.8, 30.0
LONGEST_DELAY = 1.0


@dataclass
class Chaos:
    """`kills` victims drawn by `seed` while the stage labels one of `recipes` after another."""

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
        """The recipes whose targets were finished under fire."""
        while sum(self.killed.values()) < self.kills:
            self._label(next(self.recipes))
        assert self.kills < 20 or all(self.killed.values()), f"a kind of victim was never found: {self.killed}"
        return self.done

    def _label(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.entries = Path(recipe.run) / "ledger" / target_store(recipe).name / "unlabeled"
        self._start_driver((2, 2))
        try:
            while self.driver.poll() is None:
                self._kill_one()
        finally:
            self.driver.kill()
            self.driver.wait()
        assert self.driver.returncode == 0, f"the stage failed: {self.log.read_text()[-3000:]}"
        self.done.append(recipe)

    def _start_driver(self, actors: tuple[int, int]) -> None:
        command = [sys.executable, "-c", STAGE, with_actors(self.recipe, *actors).model_dump_json()]
        with open(self.log, "a") as log:
            self.driver = subprocess.Popen(command, env=self.nodes.environment, stdout=log, stderr=log)

    def _kill_one(self) -> None:
        """Or none, where the driver ends or all kills are used up."""
        if self.draw.random() < PATIENT:
            self._wait_for_progress()
        self._wait(self.draw.uniform(0, LONGEST_DELAY))
        if self.driver.poll() is not None or sum(self.killed.values()) == self.kills:
            self._wait(0.2)
            return
        (kind,) = self.draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
        labelled = self._labelled()
        victim = getattr(self, f"_kill_{kind}")()
        if victim:
            self.killed[kind] += 1
            seconds, number = time.monotonic() - self.began, sum(self.killed.values())
            where = f"k={self.recipe.labelling.k}, {labelled} shards labelled"
            print(f"seed {self.seed}, {seconds:6.1f} s, {where}: kill {number} of {self.kills}: {victim}", flush=True)

    def _kill_actor(self) -> str:
        actors = self.nodes.actors()
        if not actors:
            return ""
        victim = self.draw.choice(actors)
        return f"actor {victim.pid} of {len(actors)}" if kill(victim) else ""

    def _kill_node(self) -> str:
        index = self.draw.randrange(WORKER_NODES)
        return f"node {index}, raylet {self.nodes.kill_node(index)}"

    def _kill_driver(self) -> str:
        pid, actors = self.driver.pid, self.draw.choice(POOLS)
        self.driver.kill()
        self.driver.wait()
        self._start_driver(actors)
        return f"driver {pid}, the next with {actors[0]} to {actors[1]} actors"

    def _labelled(self) -> int:
        return sum(name.endswith(".json") for name in os.listdir(self.entries)) if self.entries.exists() else 0

    def _wait_for_progress(self) -> None:
        """Until a shard more is labelled, the driver ends, or patience does."""
        before, until = self._labelled(), time.monotonic() + PATIENCE_SECONDS
        while self._labelled() == before and self.driver.poll() is None and time.monotonic() < until:
            time.sleep(0.05)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.driver.poll() is None and time.monotonic() < until:
            time.sleep(0.02)


def with_k(recipe: Recipe, k: int) -> Recipe:
    return recipe.model_copy(update={"labelling": recipe.labelling.model_copy(update={"k": k})})


def main(recipe_json: str, kills: str, seed: str, log: str) -> None:
    # So that the cluster is ended, too, where the test is given up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    recipe = Recipe.model_validate_json(recipe_json)
    # Each k is a store of its own; the teacher has 90 senones.
    sets = (with_k(recipe, k) for k in range(20, 90))
    with nodes() as cluster:
        done = Chaos(cluster, sets, int(kills), int(seed), Path(log)).run()
    print(f"Ray Data gave up {Path(log).read_text().count('Ray Data stopped')} times, and labelling went on")
    print(json.dumps([each.labelling.k for each in done]))


if __name__ == "__main__":
    main(*sys.argv[1:])
