"""An adaptation that is killed in its last training ends as one that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.adaptation.stage import Wanted, run_adapt
from ssl_asr.recipe import Method, Recipe
from ssl_asr.store.results_layout import cohorts_folder
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.verifying.training_check import check_training
from tests.adaptation.adaptable_run import adaptable, copied
from tests.adaptation.killed import KILLED, adapt_until_killed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Not to be changed."""
    return adaptable(tmp_path_factory.mktemp("adaptable"))


@pytest.mark.parametrize(("method", "strength"), [("ewc", 10), ("oversample", 2)])
def test_killed_and_resumed_equals_unbroken(method: Method, strength: int, made: Recipe, tmp_path: Path) -> None:
    with copied(made, tmp_path / "unbroken") as whole, copied(made, tmp_path / "killed") as killed:
        results = run_adapt(whole, Wanted("south", method, "student", cohorts_folder(whole.run)))
        training = f"{results.name}-{strength}"
        blocks = max(int(each["block"]) for each in read_curve(whole.run, training))
        assert adapt_until_killed(killed, method, training, blocks) == KILLED
        assert not Path(model_uri(killed.run, training)).exists()
        again = run_adapt(killed, Wanted("south", method, "student", cohorts_folder(killed.run)))
        assert Path(model_uri(killed.run, training)).read_bytes() == Path(model_uri(whole.run, training)).read_bytes()
        assert again.changes == results.changes
        assert not check_training(killed.run).findings
