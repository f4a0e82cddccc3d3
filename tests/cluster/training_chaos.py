"""Students trained on a cluster of three nodes whose workers, nodes and drivers are killed at drawn moments.

`python -m tests.cluster.training_chaos RECIPE KILLS SEED LOG`, the recipe as JSON, is a process of its own. It prints
every kill, and last the learning rates of the students that it trained, each a training of its own.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import ClassVar

from ssl_asr.recipe import Recipe
from tests.cluster.braked import brake_of
from tests.cluster.killing import Killing
from tests.cluster.ray_nodes import nodes
from tests.cluster.training_run import running


class Chaos(Killing):
    """While a student is trained; kills that came sooner would mostly hit workers that are starting."""

    weights: ClassVar[dict[str, int]] = {"worker": 6, "node": 2, "driver": 2}
    patient, patience_seconds, longest_delay = 0.4, 45.0, 1.5
    steps = 2

    def work_on(self, recipe: Recipe) -> None:
        with running(recipe, self.nodes.environment, self.log) as self.training:
            self.fire()
            assert self.training.driver.returncode == 0, f"the stage failed: {self.training.tail()}"

    def fire(self) -> None:
        """Training is braked until the last kill."""
        brake = brake_of(self.training.recipe.run)
        brake.touch()
        while not self.ended():
            self._kill_one()
            if self.count == self.kills:
                brake.unlink(missing_ok=True)

    def ended(self) -> bool:
        return self.training.ended()

    def progress(self) -> int:
        """Blocks trained."""
        return self.training.blocks()

    def where(self, progress: int) -> str:
        return f"student {len(self.done) + 1}, block {progress}"

    def kill_worker(self) -> str:
        return self.kill_any(self.nodes.train_workers(), "worker")

    def kill_driver(self) -> str:
        pid = self.training.driver.pid
        self.training.kill()
        self.training.start()
        return f"driver {pid}"


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
