"""A run with real features and a teacher that was never trained: labelling asks no more of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import BlstmNetwork, Recipe
from ssl_asr.store import targets
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

SENONES = 90


def save_teacher(recipe: Recipe, seed: int = 0, outputs: int = SENONES) -> None:
    torch.manual_seed(seed)
    teacher = AcousticModel(ModelSpec(BlstmNetwork(layers=2, units=64), 192, outputs))
    mean, deviation = (torch.from_numpy(values).repeat(3) for values in global_statistics(recipe.run))
    teacher.set_statistics(mean, deviation)
    save_model(model_uri(recipe.run, "teacher"), teacher, {"senone_set": "none"})


def copy_run(recipe: Recipe, run: Path, *parts: str) -> Recipe:
    """The recipe on a run of its own, which begins with copies of these folders."""
    for part in parts:
        shutil.copytree(Path(recipe.run) / part, run / part)
    return recipe.model_copy(update={"run": str(run)})


def with_actors(recipe: Recipe, least: int, most: int) -> Recipe:
    return recipe.model_copy(update={"cluster": recipe.cluster.model_copy(update={"label_actors": (least, most)})})


def target_store(recipe: Recipe) -> ShardStore:
    return ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))


@pytest.fixture(scope="session")
def teacher_run(feature_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The tiny run's features, copied, and a teacher; nothing is labelled."""
    recipe = copy_run(feature_run, tmp_path_factory.mktemp("teacher") / "run", "features", "ledger/features")
    save_teacher(recipe)
    return recipe


@pytest.fixture
def own_run(teacher_run: Recipe, tmp_path: Path) -> Recipe:
    """A copy of the same; a test may do to it what it likes."""
    return copy_run(teacher_run, tmp_path / "run", "features", "ledger", "models")


@pytest.fixture(scope="session")
def labelled_run(teacher_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The same labelled by two actors, without a break."""
    run = tmp_path_factory.mktemp("labelled") / "run"
    recipe = with_actors(copy_run(teacher_run, run, "features", "ledger", "models"), 2, 2)
    report = run_labelling(recipe)
    assert (report.skipped, report.rejected) == (0, 0)
    return recipe
