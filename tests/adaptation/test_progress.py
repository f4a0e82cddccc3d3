"""What is left of an adaptation, by the files of a run: models, schedules and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ssl_asr.adaptation.progress import (
    PlannedAdaptation,
    PlannedTraining,
    all_planned,
    progress_of,
    write_planned,
)
from ssl_asr.adaptation.progress_table import format_planned, progress_line
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import MADE_FROM, save_model
from ssl_asr.recipe import LstmNetwork
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import curve_uri, model_uri, schedule_uri

INPUTS = {"version": "1"}
PLAN = PlannedAdaptation(
    "adapted-student-ewc-1a2b3c",
    "key",
    "student",
    tuple(PlannedTraining(f"adapted-student-ewc-1a2b3c-{n}", inputs_key(INPUTS), 0.5) for n in (0, 1, 10)),
)
FIRST, SECOND, THIRD = (each.name for each in PLAN.trainings)


def write_curve(run: str, name: str, hours: float, seconds: Sequence[float], whole: bool = True) -> None:
    """Each block hears that many hours."""
    record = {"loss": 1.0, "whole": whole, "frames": round(hours * 3600 / 0.03)}
    lines = [json.dumps({**record, "seconds": each}) for each in seconds]
    filesystem.write_bytes(curve_uri(run, name), "\n".join([*lines, '{"dev_loss": 2.0}', ""]).encode())


def finish(run: str, name: str) -> None:
    model = AcousticModel(ModelSpec(LstmNetwork(layers=1, units=2), 3, 2))
    save_model(model_uri(run, name), model, {MADE_FROM: INPUTS})


def test_before_the_first_block_time_is_told_by_the_model_before(tmp_path: Path) -> None:
    run = str(tmp_path)
    assert [(each.state, each.seconds_left) for each in progress_of(run, PLAN)] == [("waiting", None)] * 3
    assert progress_line(progress_of(run, PLAN)) == "0.00 of 1.50 h heard"
    write_curve(run, "student", 0.5, [99, 99], whole=False)
    assert progress_of(run, PLAN)[0].seconds_left == pytest.approx(99, rel=1e-3)
    write_curve(run, "student", 0.5, [30, 50])  # whole utterances count where there are any
    rows = progress_of(run, PLAN)
    assert [each.seconds_left for each in rows] == pytest.approx([40] * 3, rel=1e-3)
    assert progress_line(rows) == "0.00 of 1.50 h heard, about 2 min 00 s left"


def test_what_is_done_and_what_is_begun_counts(tmp_path: Path) -> None:
    run = str(tmp_path)
    write_curve(run, "student", 0.5, [1])
    finish(run, FIRST)
    write_curve(run, FIRST, 0.5, [20])
    filesystem.write_bytes(schedule_uri(run, SECOND, PLAN.trainings[1].key), b"{}")
    write_curve(run, SECOND, 0.1, [5, 7])
    write_curve(run, THIRD, 0.5, [1])  # of an earlier training: it has no schedule of this key
    rows = progress_of(run, PLAN)
    assert [each.state for each in rows] == ["done", "begun", "waiting"]
    assert [each.heard for each in rows] == pytest.approx([0.5, 0.2, 0], rel=1e-3)
    speed = 0.7 / 32  # hours a second
    assert [each.seconds_left for each in rows] == pytest.approx([0, 0.3 / speed, 0.5 / speed], rel=1e-3)
    told = format_planned(PLAN, rows)
    assert "1 of 3" in told
    assert "0.70 of 1.50 h" in told
    assert told.splitlines()[2].endswith("-")  # nothing is left of the first
    filesystem.write_bytes(schedule_uri(run, FIRST, "another"), b"{}")
    assert progress_of(run, PLAN)[0].state == "done"


def test_a_plan_is_kept_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    run = str(tmp_path)
    assert all_planned(run) == []
    write_planned(run, PLAN)
    assert all_planned(run) == [PLAN]
    (file,) = (tmp_path / "adapt").iterdir()
    file.write_text('{"name": 3}')
    with pytest.raises(ValueError, match=r"plan.json is damaged; delete it"):
        all_planned(run)
