"""A run that was decoded for real, with its report and with audio that can be played."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.recipe import Recipe
from ssl_asr.report.stage import run_report
from tests.in_process import placed_here
from tests.toy_run import toy_recipe


@pytest.fixture(scope="session")
def decoded(tmp_path_factory: pytest.TempPathFactory, unevaluated: Path) -> Recipe:
    """Not to be changed. Its manifest names the audio without a folder: only from the run's parent can it be read."""
    folder = tmp_path_factory.mktemp("decoded")
    shutil.copytree(unevaluated, folder / "run")
    soundfile.write(folder / "toy.wav", np.random.default_rng(1).normal(0, 0.1, 8000), 8000)
    recipe = toy_recipe(folder / "run")
    with placed_here():
        run_evaluate(recipe)
    return recipe


@pytest.fixture(scope="session")
def reported(decoded: Recipe) -> Recipe:
    """The same run with its pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(decoded.run).parent)
        run_report(decoded)
    return decoded
