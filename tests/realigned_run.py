"""A small run whose speech two networks have realigned, and its trainings; made in seconds without Ray."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.frontend.stage import run_frontend
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.stage import run_hmm
from ssl_asr.models.model_files import model_id
from ssl_asr.recipe import Cluster, Recipe
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.store import alignments
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training import stage as training_stage
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.realign import run_realign
from ssl_asr.training.stage import run_teacher
from tests.finished_run import small_recipe
from tests.in_process import placed_here

SMALL = [
    "hmm.realign=2",
    "hmm.senones=12",
    "hmm.flat_start_iterations=2",
    "hmm.min_frames_per_senone=3",
    "teacher.labeled_passes=1",
    "teacher.whole_passes=0",
    "cluster.train_workers=[1, 1]",
]


@contextmanager
def noting(jobs: dict[str, TrainingJob], *, killed_at: str = "") -> Iterator[None]:
    """Inside, the jobs that are trained are noted by name; the one that is `killed_at` is not trained."""
    fit = training_stage.fit

    def noted(job: TrainingJob, cluster: Cluster) -> object:
        if job.name == killed_at:
            raise KeyboardInterrupt
        jobs[job.name] = job
        return fit(job, cluster)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training_stage, "fit", noted)
        yield


@pytest.fixture(scope="session")
def realigned_and_jobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, dict[str, TrainingJob]]:
    """Up to the teacher; not to be changed."""
    folder = tmp_path_factory.mktemp("realigned")
    recipe, jobs = small_recipe(folder), dict[str, TrainingJob]()
    save_recipe(recipe)
    recipe = open_recipe(recipe.run, SMALL)
    save_recipe(recipe)
    with placed_here(), noting(jobs):
        for stage in (run_corpus, run_frontend, run_hmm, run_realign, run_teacher):
            stage(recipe)
    return recipe, jobs


@pytest.fixture(scope="session")
def realigned(realigned_and_jobs: tuple[Recipe, dict[str, TrainingJob]]) -> Recipe:
    return realigned_and_jobs[0]


@pytest.fixture
def realigned_run(realigned: Recipe, tmp_path: Path) -> Iterator[Recipe]:
    """A copy that may be changed; stages run in this process."""
    shutil.copytree(realigned.run, tmp_path / "run")
    with placed_here():
        yield realigned.model_copy(update={"run": str(tmp_path / "run")})


def sets_of(recipe: Recipe) -> list[ShardStore]:
    """Of the flat start, and of the first and the second network."""
    flat = load_senones(recipe.run).id
    networks = (model_id(model_uri(recipe.run, name)) for name in ("aligner-1", "aligner-2"))
    names = [flat, *(f"{flat}-{network}" for network in networks)]
    return [ShardStore(recipe.run, alignments.store_name(name)) for name in names]
