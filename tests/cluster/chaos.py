"""A labelling run on a cluster of several nodes whose actors, nodes and drivers are killed at drawn moments.

`python -m tests.cluster.chaos RECIPE KILLS SEED LOG`, the recipe as JSON, is a process of its own, because Ray ends
whichever process had a cluster that is gone. It prints every kill, and last the values of k that it labelled with.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import ClassVar

from ssl_asr.recipe import Recipe
from tests.cluster.driver_killing import DriverKilling
from tests.cluster.ray_nodes import nodes
from tests.labelling.conftest import target_store, with_actors
from tests.labelling.test_kill_and_resume import STAGE

POOLS = [(1, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 3)]  # actors: the least and the most


class Chaos(DriverKilling):
    """While the stage labels."""

    weights: ClassVar[dict[str, int]] = {"actor": 6, "node": 2, "driver": 2}
    code: ClassVar[str] = STAGE

    def work_on(self, recipe: Recipe) -> None:
        self.entries = Path(recipe.run) / "ledger" / target_store(recipe).name / "unlabeled"
        super().work_on(with_actors(recipe, 2, 2))

    def progress(self) -> int:
        """Shards labelled."""
        return sum(name.endswith(".json") for name in os.listdir(self.entries)) if self.entries.exists() else 0

    def where(self, progress: int) -> str:
        return f"k={self.recipe.labelling.k}, {progress} shards labelled"

    def kill_driver(self) -> str:
        least, most = self.draw.choice(POOLS)
        self.recipe = with_actors(self.recipe, least, most)
        return f"{super().kill_driver()}, the next with {least} to {most} actors"


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
