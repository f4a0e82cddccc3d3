"""A worker that is killed on Ray: training goes on from its checkpoint, and ends with the very bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.speakers.extracting import Workers, train_extractor
from ssl_asr.store.speakers_layout import extractor_uri
from ssl_asr.store.weights import read_description
from ssl_asr.training.elastic.events import read_events, restarts
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.stage import fit_job
from ssl_asr.verifying.training_check import check_training
from tests.speakers.made_up import made_up_run
from tests.speakers.trainings import LABELED, DeadlyJob, begun, job_of, settings_of


@pytest.mark.usefixtures("ray_local")
def test_a_killed_worker_changes_no_byte(tmp_path: Path) -> None:
    recipe = made_up_run(tmp_path)
    settings = settings_of("clusters", steps=15)
    train_simulated(job := job_of(recipe, "one", settings), 1)
    whole = Path(extractor_uri(recipe.run, "one"))
    expected = whole.read_bytes()
    fields = {name: getattr(job, name) for name in job.__dataclass_fields__}
    killed = begun(DeadlyJob(**{**fields, "extractor": "two"}))
    Path(recipe.run, "deadly-step").write_text("8")
    fit_job(killed, recipe.cluster.model_copy(update={"train_workers": (1, 1)}))
    assert not Path(recipe.run, "deadly-step").exists()
    assert restarts(read_events(killed.run, killed.name)) == 1
    assert Path(extractor_uri(recipe.run, "two")).read_bytes() == expected


@pytest.mark.cluster
@pytest.mark.usefixtures("ray_local")
def test_two_workers_train_an_extractor_of_the_run(tmp_path: Path) -> None:
    recipe = made_up_run(tmp_path)
    found = train_extractor(recipe, "own", LABELED, settings_of("groups", steps=120), Workers(2, "bmuf"))
    assert found.speakers == 6
    assert 0 < found.loss < 1
    assert "key" in read_description(extractor_uri(recipe.run, "own"))
    verdict = check_training(recipe.run)
    assert verdict.trained == ["extractor-own: 120 slabs in 2 phases, each trained on exactly once"]
    assert train_extractor(recipe, "own", LABELED, settings_of("groups", steps=120), Workers(2, "bmuf")).kept
