"""A run's own figures, on a small real run that has been through frontend, hmm, teacher and labelling."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.corpus.split_records import read_record, write_record
from ssl_asr.planning.compute import devices_of, teacher_network
from ssl_asr.planning.facts import stated_facts
from ssl_asr.planning.measured import known, stated_rates
from ssl_asr.planning.plan import Plan, make_plan
from ssl_asr.planning.question import Question
from ssl_asr.planning.sizes import KEPT_CHECKPOINTS, checkpoint_numbers, model_bytes
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.runtime.stage_report import ACTOR_HOURS, read_report
from ssl_asr.training.curve import read_curve


def plan_of(recipe: Recipe, question: Question | None = None) -> Plan:
    question = question or Question()
    devices = devices_of(recipe, question)
    return make_plan(recipe, question, devices, known(recipe, question, devices))


def size(recipe: Recipe, folder: str, suffix: str) -> int:
    return sum(path.stat().st_size for path in Path(recipe.run, folder).rglob(f"*{suffix}"))


@pytest.fixture(scope="module")
def run(labelled_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A copy that keeps its recipe, as a command would have."""
    folder = tmp_path_factory.mktemp("planned") / "run"
    shutil.copytree(labelled_run.run, folder)
    save_recipe(labelled_run.model_copy(update={"run": str(folder)}))
    return open_recipe(str(folder))


@pytest.mark.parametrize("store", ["features", "alignments", "targets", "manifest"])
def test_stores_as_large_as_they_are(run, store):
    planned = plan_of(run).store(store)
    assert planned.bytes == pytest.approx(size(run, store, ".parquet"), rel=0.05)
    assert f"measured in {run.run}" in planned.source


@pytest.mark.parametrize("store", ["features", "targets"])
def test_stated_figures_are_near_what_the_run_became(run, tmp_path, store):
    fresh = run.model_copy(update={"run": str(tmp_path)})
    planned = plan_of(fresh).store(store)
    assert planned.bytes == pytest.approx(size(run, store, ".parquet"), rel=0.25)
    assert run.run not in planned.source


def test_weights_on_the_disk(run):
    """The teacher's file and its two last checkpoints; nothing else has been trained."""
    network = teacher_network(run)
    numbers = checkpoint_numbers(network, run.teacher.optimiser, run.teacher.sync, workers=2)
    assert model_bytes(network) == pytest.approx(size(run, "models", ".safetensors"), rel=0.02)
    assert KEPT_CHECKPOINTS * 4 * numbers == pytest.approx(size(run, "training", ".safetensors"), rel=0.05)


def test_the_teacher_s_time_is_that_of_its_curve(run):
    """The plan reckons hours of speech at the run's speed: the seconds that its blocks add up to come out again."""
    blocks = [record for record in read_curve(run.run, "teacher") if "loss" in record]
    worked = sum(block["seconds"] * block["workers"] for block in blocks)
    stage = plan_of(run).stage("teacher")
    assert stage.work_hours * 3600 == pytest.approx(worked, rel=0.25)
    assert f"measured in {run.run}" in stage.source


def test_what_was_not_run_is_still_stated(run):
    knowledge = known(run, Question(), devices_of(run, Question()))
    assert "measured in" not in knowledge.rates.student.source
    assert knowledge.facts.decoding_speed == stated_facts(run).decoding_speed


def test_hours_are_those_that_were_found_unless_others_are_asked_for(run):
    found, asked = plan_of(run).speech, plan_of(run, Question(hours=50)).speech
    assert found.labeled.value == pytest.approx(2 * 6 / 60, rel=0.05)  # six minutes and a degraded copy
    assert found.clean_labeled.value == pytest.approx(found.labeled.value / 2)
    assert "manifest" in found.unlabeled.source
    assert (asked.unlabeled.value, asked.unlabeled.source) == (50, "given on the command line")
    assert asked.labeled == found.labeled


def test_what_was_cut_is_known_once_the_speech_is_listed(run):
    record = read_record(run.run, "unlabeled")
    assert plan_of(run).speech.cut.value == 0
    write_record(run.run, "unlabeled", replace(record, cut={"recordings": 3, "seconds": 7200.0}))
    assert (plan_of(run).speech.cut.value, plan_of(run).speech.cut.source) == (2, f"measured in {run.run}: corpus")
    assert plan_of(run, Question(hours=50)).speech.cut is None
    write_record(run.run, "unlabeled", record)


def test_another_network_is_scaled_and_another_device_is_not_measured(run):
    devices = devices_of(run, Question())
    rate = known(run, Question(), devices).rates.teacher
    larger = open_recipe(run.run, ["teacher.network.units=96"])
    scaled = known(larger, Question(), devices).rates.teacher
    assert scaled.value > 2 * rate.value
    assert "multiply-adds" in scaled.source
    gpus = devices_of(run, Question(gpus=4))
    assert known(run, Question(gpus=4), gpus).rates == stated_rates(run, gpus)


def test_what_depends_on_the_recipe_is_not_taken_from_a_run_with_another(run):
    other = open_recipe(run.run, ["labelling.k=5", "frontend.feature_bits=8", "hmm.senones=60"])
    knowledge = known(other, Question(), devices_of(other, Question()))
    stated = stated_facts(other)
    facts = knowledge.facts
    assert (facts.target_bytes, facts.feature_bytes) == (stated.target_bytes, stated.feature_bytes)
    assert facts.alignment_bytes == stated.alignment_bytes


def test_labelling_at_the_speed_of_its_actors(run):
    report, stage = read_report(run, "labelling"), plan_of(run).stage("labelling")
    assert report is not None
    assert stage.work_hours == pytest.approx(report.figures[ACTOR_HOURS], rel=0.05)
    assert f"measured in {run.run}" in stage.source
