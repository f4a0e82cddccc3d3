"""The systems that are compared: which models they are, and what is said where one is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.evaluation.table import format_table
from ssl_asr.models.model_files import load_model, save_model
from ssl_asr.store.training_layout import model_uri
from tests.evaluation.decoded import SYSTEMS, slabs_of, tried


def test_a_topline_is_a_system_more_and_gives_the_students_share_of_its_gain(evaluated_run):
    before = slabs_of(evaluated_run.run)
    recipe = evaluated_run.model_copy(
        update={"evaluate": evaluated_run.evaluate.model_copy(update={"topline": True})}
    )
    with pytest.raises(ValueError, match=r"topline\.safetensors is missing; run the topline stage"):
        run_evaluate(recipe)
    shutil.copy(model_uri(recipe.run, "student"), model_uri(recipe.run, "topline"))
    report = run_evaluate(recipe)
    assert {path: when for path, when in slabs_of(recipe.run).items() if path in before} == before
    results = read_results(recipe.run)
    assert results.systems == ["baseline", "teacher", "student", "topline"]
    assert results.row("topline").wer == results.row("student").wer
    share = results.reduction().topline_share
    assert (share.value, share.low, share.high) == (1, 1, 1)  # the same network
    assert report.figures["share_of_topline"] == "100 [100, 100]"
    told = format_table(results)
    assert "topline WER %" in told
    assert "of topline's gain %" in told
    run_evaluate(evaluated_run)
    assert read_results(recipe.run).systems == list(SYSTEMS)
    assert read_results(recipe.run).reduction().topline_share is None


@pytest.mark.parametrize(("better", "told"), [("teacher", "the shorter"), ("baseline", "the matched")])
def test_the_baseline_is_the_better_of_two_on_dev(evaluated_run, better, told):
    """The short one is as good as the teacher, or the matched one again: of equals the matched one counts."""
    before, run = read_results(evaluated_run.run), evaluated_run.run
    student = evaluated_run.student.model_copy(update={"shorter_baseline": 0.5})
    recipe = evaluated_run.model_copy(update={"student": student})
    with pytest.raises(ValueError, match=r"baseline-short\.safetensors is missing; run the baseline stage"):
        run_evaluate(recipe)
    shutil.copy(model_uri(run, better), model_uri(run, "baseline-short"))
    report = run_evaluate(recipe)
    results = read_results(run)
    assert results.baseline_model == ("baseline-short" if better == "teacher" else "baseline")
    assert results.systems == list(SYSTEMS)
    assert results.row("baseline").wer == before.row(better).wer
    # Both are told on dev, each with its own scales; the other one is not decoded on test.
    assert results.dev_row("baseline").wer == before.dev_row("baseline").wer
    assert results.dev_row("baseline-short").wer == before.dev_row(better).wer
    assert set(results.kappa) == {*SYSTEMS, "baseline-short"}
    tested = {system for system in results.kappa if any(split == "test" for _, split in tried(recipe, system))}
    assert tested == {*SYSTEMS} | ({"baseline-short"} if better == "teacher" else set())
    assert f"Baseline: {told} schedule, by word error rate on dev" in format_table(results)
    assert report.figures["baseline"] == ("short baseline" if better == "teacher" else "baseline")


def test_models_by_sequence_training_are_systems_more_that_gains_are_about(evaluated_run):
    sequence = evaluated_run.student.sequence.model_copy(update={"epochs": 1})
    student = evaluated_run.student.model_copy(update={"sequence": sequence})
    recipe = evaluated_run.model_copy(update={"student": student})
    with pytest.raises(ValueError, match=r"baseline-smbr\.safetensors is missing; run the baseline stage"):
        run_evaluate(recipe)
    for name in ("baseline", "student"):
        # As if sMBR had made of both what the other is.
        model, about = load_model(model_uri(recipe.run, "student" if name == "baseline" else "baseline"))
        save_model(model_uri(recipe.run, f"{name}-smbr"), model, about)
    before = read_results(recipe.run)
    run_evaluate(recipe)
    results = read_results(recipe.run)
    assert results.systems == ["baseline", "baseline-smbr", "teacher", "student", "student-smbr"]
    assert results.compared == ("baseline-smbr", "student-smbr")
    assert results.row("student-smbr").wer == results.row("baseline").wer
    assert before.reduction().werr > 0 > results.reduction().werr
    assert "SSL student sMBR WER %" in format_table(results)


def test_another_model_is_another_system(evaluated_run):
    model, about = load_model(model_uri(evaluated_run.run, "teacher"))
    save_model(model_uri(evaluated_run.run, "baseline"), model, about)
    report = run_evaluate(evaluated_run)
    made = [each for each in read_results(evaluated_run.run).tuning if each.system == "baseline"]
    assert report.pieces - report.skipped == 2 * len(made) + 4
    assert read_results(evaluated_run.run).reduction().werr == 0


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_missing_model_is_asked_for_before_any_work(toy_run, name):
    Path(model_uri(toy_run.run, name)).unlink()
    with pytest.raises(ValueError, match=rf"{name}\.safetensors is missing; run the {name} stage"):
        run_evaluate(toy_run)
    assert not Path(toy_run.run, "decoding").exists()


def test_a_model_of_other_senones_is_refused(toy_run):
    model, _ = load_model(model_uri(toy_run.run, "student"))
    save_model(model_uri(toy_run.run, "student"), model, {"senone_set": "elsewhere"})
    with pytest.raises(ValueError, match="elsewhere"):
        run_evaluate(toy_run)
