"""The corpus stage on a cluster of several nodes whose actors, nodes and drivers are killed at drawn moments.

`python -m tests.cluster.corpus_chaos RECIPE KILLS SEED LOG`, the recipe as JSON, is a process of its own, because Ray
ends whichever process had a cluster that is gone. It prints every kill, and last the runs that it listed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ssl_asr.recipe import Recipe
from ssl_asr.store.layout import BUCKETS, CUTS, IDS, LATER_USES, LONG, MANIFEST, PIECES, ledger_folder
from tests.cluster.driver_killing import DriverKilling
from tests.cluster.ray_nodes import nodes

# A driver that has many small pieces and buckets read and cut by actors.
STAGE = """
import sys
from ssl_asr.corpus import shuffle, split_stage, stage
from ssl_asr.recipe import Recipe
shuffle.BUCKET_BYTES, split_stage.SMALL_BYTES = 20_000, 0
stage.run_corpus(Recipe.model_validate_json(sys.argv[1]))
"""


class CorpusChaos(DriverKilling):
    """While the stage lists one run after another."""

    weights: ClassVar[dict[str, int]] = {"actor": 6, "node": 2, "driver": 3}
    code: ClassVar[str] = STAGE
    steps = 3

    def progress(self) -> int:
        """Entries of the ledger."""
        return sum(map(self._entries, (PIECES, IDS, LONG, CUTS, LATER_USES, BUCKETS, MANIFEST)))

    def where(self, progress: int) -> str:
        return f"{Path(self.recipe.run).name}, {progress} entries, {self._entries(CUTS)} of them batches that are cut"

    def _entries(self, name: str) -> int:
        walked = os.walk(ledger_folder(self.recipe.run, name))
        return sum(file.endswith(".json") for _, _, files in walked for file in files)


def runs_of(recipe: Recipe) -> Iterator[Recipe]:
    """The same recipe for one run after another."""
    return (recipe.model_copy(update={"run": f"{recipe.run}-{number}"}) for number in range(1000))


def main(recipe_json: str, kills: str, seed: str, log: str) -> None:
    # So that the cluster is ended, too, where the test is given up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with nodes() as cluster:
        runs = runs_of(Recipe.model_validate_json(recipe_json))
        done = CorpusChaos(cluster, runs, int(kills), int(seed), Path(log)).run()
    print(json.dumps([each.run for each in done]))


if __name__ == "__main__":
    main(*sys.argv[1:])
