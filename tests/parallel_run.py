"""A small run with parallel data: recorded speech, degraded copies beside every recording, and a teacher's targets.

It is made without Ray. The teacher is not trained: targets only have to be somebody's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from tests.finished_run import make_features
from tests.labelling.conftest import save_teacher

COPIES = 2


def parallel_recipe(run: Path, *overrides: str) -> Recipe:
    from tests.conftest import tiny_recipe

    return tiny_recipe(
        run,
        "corpus.labeled_minutes=1.5",
        "corpus.unlabeled_minutes=2",
        f"corpus.unlabeled_copies={COPIES}",
        "corpus.train_conditions=[clean, babble-20, room, speed-0.9, speed-1.1+effects-10]",
        "corpus.test_conditions=[clean]",
        *overrides,
    )


def label(recipe: Recipe) -> None:
    job = LabelJob(recipe)
    for shard in ShardStore(recipe.run, features.STORE).shards("unlabeled"):
        job(shard)


@pytest.fixture(scope="session")
def parallel_run(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Not to be changed."""
    recipe, threads = parallel_recipe(tmp_path_factory.mktemp("parallel") / "run"), torch.get_num_threads()
    save_recipe(recipe)
    run_corpus(recipe)
    make_features(recipe)
    save_teacher(recipe)
    label(recipe)
    torch.set_num_threads(threads)
    return recipe
