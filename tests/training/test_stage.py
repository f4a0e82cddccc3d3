"""The training stages, with simulated workers.

That Ray Train comes to the very same weights, whatever is killed, is what tests/cluster/test_training_chaos.py shows.
"""

import re
import shutil
from pathlib import Path

import pytest

from ssl_asr.hmm.stage import run_hmm
from ssl_asr.models.model_files import MADE_FROM, load_model
from ssl_asr.models.systems import BASELINES
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.training.inputs import model_inputs
from ssl_asr.training.stage import (
    run_baseline,
    run_student,
    run_teacher,
    run_topline,
    todo_baseline,
    todo_student,
    todo_topline,
)
from ssl_asr.verifying.training_check import check_training
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training


def copy_of(recipe: Recipe, folder: Path) -> Recipe:
    """The same run elsewhere, with small blocks that are each checkpointed."""
    shutil.copytree(recipe.run, folder, dirs_exist_ok=True)
    sync = recipe.student.sync.model_copy(update={"block_slabs": 1, "checkpoint_blocks": 1})
    student = recipe.student.model_copy(update={"sync": sync})
    return recipe.model_copy(update={"run": str(folder), "student": student})


@pytest.fixture(scope="module")
def unbroken(labelled_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    recipe = copy_of(labelled_run, tmp_path_factory.mktemp("unbroken"))
    with simulated_training():
        run_student(recipe)
    return recipe


def test_student_is_causal_has_the_wanted_size_and_a_curve(unbroken: Recipe) -> None:
    model, about = load_model(model_uri(unbroken.run, "student"))
    assert model.encoder.is_causal
    assert (model.encoder.look_ahead, model.encoder.width) == (3, 48)
    curve = read_curve(unbroken.run, "student")
    assert {record["source"] for record in curve if "loss" in record} == {"labeled", "unlabeled"}
    assert any("dev_frame_accuracy" in record for record in curve)
    assert list((Path(unbroken.run) / "tensorboard" / "student").glob("events*"))
    assert about["blocks"] == max(record["block"] for record in curve)
    assert about[MADE_FROM] == model_inputs(unbroken, "student")
    assert todo_student(unbroken, []) == []


def test_the_audit_knows_the_finished_student(unbroken: Recipe) -> None:
    said = [line for line in check_training(unbroken.run).trained if line.startswith("student")]
    assert len(said) == 1
    assert said[0].startswith("student: ")
    assert said[0].endswith("each trained on exactly once")


def test_baseline_has_the_students_frames_and_hears_no_unlabeled_audio(unbroken: Recipe) -> None:
    with simulated_training():
        report = run_baseline(unbroken)
    student, baseline = read_curve(unbroken.run, "student"), read_curve(unbroken.run, "baseline")
    assert {record["source"] for record in baseline if "loss" in record} == {"labeled"}
    frames = [sum(record.get("frames", 0) for record in curve) for curve in (student, baseline)]
    assert frames[1] == pytest.approx(frames[0], rel=0.1)
    again = run_baseline(unbroken)
    assert (again.skipped, again.pieces) == (report.pieces, report.pieces)
    assert again.seconds == report.seconds


def test_a_shorter_baseline_is_trained_beside_the_matched_one_which_stays(unbroken: Recipe) -> None:
    student = unbroken.student.model_copy(update={"shorter_baseline": 0.5})
    recipe = unbroken.model_copy(update={"student": student})
    with simulated_training():
        run_baseline(unbroken)
        before = filesystem.read_bytes(model_uri(recipe.run, "baseline"))
        assert [todo.product for todo in todo_baseline(recipe, [])] == ["baseline-short"]
        report = run_baseline(recipe)
    assert filesystem.read_bytes(model_uri(recipe.run, "baseline")) == before
    frames = [sum(record.get("frames", 0) for record in read_curve(recipe.run, name)) for name in BASELINES]
    assert frames[1] == pytest.approx(frames[0] / 2, rel=0.1)
    assert 0 < report.skipped < report.pieces
    assert "baseline-short_dev_loss" in report.figures
    assert todo_baseline(recipe, []) == []
    again = run_baseline(recipe)
    assert again.skipped == again.pieces
    # The short one is audited as the others are.
    assert any(line.startswith("baseline-short: ") for line in check_training(recipe.run).trained)


def test_the_topline_has_the_students_frames_and_hears_all_audio_with_its_labels(unbroken: Recipe) -> None:
    off = run_topline(unbroken)
    assert (off.pieces, off.skipped) == (0, 0)
    assert todo_topline(unbroken, []) == []
    recipe = unbroken.model_copy(update={"evaluate": unbroken.evaluate.model_copy(update={"topline": True})})
    with pytest.raises(ValueError, match="no alignment of unlabeled speech; run the stage 'hmm' first"):
        run_topline(recipe)
    with placed_here():
        run_hmm(recipe)
    assert [todo.product for todo in todo_topline(recipe, [])] == ["topline"]
    with simulated_training():
        run_topline(recipe)
    assert todo_topline(recipe, []) == []
    student, topline = (read_curve(recipe.run, name) for name in ("student", "topline"))
    blocks = [[record for record in curve if "loss" in record] for curve in (student, topline)]
    assert [record["source"] for record in blocks[0]] == [record["source"] for record in blocks[1]]
    assert [record["learning_rate"] for record in blocks[0]] == [record["learning_rate"] for record in blocks[1]]
    frames = [sum(record["frames"] for record in curve) for curve in blocks]
    assert frames[1] == pytest.approx(frames[0], rel=0.05)
    spec = [load_model(model_uri(recipe.run, name))[0].spec for name in ("student", "topline")]
    assert spec[0] == spec[1]
    # What the student was made from is as before.
    assert todo_student(recipe, []) == []


def test_changed_recipe_or_changed_data_trains_anew(labelled_run: Recipe, tmp_path: Path) -> None:
    assert run_teacher(labelled_run).skipped > 0
    recipe = copy_of(labelled_run, tmp_path / "changed")
    network = recipe.teacher.network.model_copy(update={"layers": 1})
    one_pass = {"labeled_passes": 1, "whole_passes": 0, "network": network}
    recipe = recipe.model_copy(update={"teacher": recipe.teacher.model_copy(update=one_pass)})
    with simulated_training():
        assert run_teacher(recipe).skipped == 0
    assert load_model(model_uri(recipe.run, "teacher"))[0].spec.network == network
    assert run_teacher(recipe).skipped > 0
    ledger = next((tmp_path / "changed" / "ledger" / "alignments").rglob("labeled/*.json"))
    ledger.write_text(re.sub(r'"checksum": "\w+"', '"checksum": "0123456789abcdef"', ledger.read_text()))
    with simulated_training():
        assert run_teacher(recipe).skipped == 0


def test_student_without_targets_names_the_stage_to_run(labelled_run: Recipe, tmp_path: Path) -> None:
    recipe = copy_of(labelled_run, tmp_path / "no-targets")
    shutil.rmtree(tmp_path / "no-targets" / "ledger" / "targets")
    with pytest.raises(ValueError, match=r"have no targets in targets/.* run the stage 'labelling' first"):
        run_student(recipe)
