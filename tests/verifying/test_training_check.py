"""`ssl-asr verify` on a run with models: what they were trained on is said in a line, or found to be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import MADE_FROM, save_model
from ssl_asr.recipe import LstmNetwork, Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import account_uri, model_uri, schedule_uri
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.data.sources import source_of
from ssl_asr.training.phases import baseline_schedule, student_schedule, teacher_schedule
from tests.training.walked import walk

INPUTS = {"version": "1", "features": "0a1b2c3d4e5f6a7b"}
KEY = inputs_key(INPUTS)


def finish(recipe: Recipe, name: str, inputs: Inputs = INPUTS) -> None:
    model = AcousticModel(ModelSpec(LstmNetwork(layers=1, units=8), 192, 90))
    save_model(model_uri(recipe.run, name), model, {MADE_FROM: inputs, "senone_set": "none"})


@pytest.fixture
def own(feature_run: Recipe, tmp_path: Path) -> Recipe:
    """Real features of the tiny run; student and baseline are finished, the teacher stopped in its tenth block."""
    run = tmp_path / "run"
    # Nothing else that other tests may have made of the shared run.
    for part in ("manifest", "features", "ledger/manifest", "ledger/features"):
        shutil.copytree(Path(feature_run.run) / part, run / part)
    recipe = feature_run.model_copy(update={"run": str(run)})
    save_recipe(recipe)
    store = ShardStore(recipe.run, features.STORE)
    labeled, unlabeled = (source_of(name, name, store.index(name), recipe.seed) for name in ("labeled", "unlabeled"))
    student = student_schedule(recipe.student, labeled, unlabeled)
    schedules = {
        "teacher": teacher_schedule(recipe.teacher, labeled),
        "student": student,
        "baseline": baseline_schedule(student, labeled, unlabeled),
    }
    for seed, (name, schedule) in enumerate(schedules.items()):
        sizes = {source.name: len(source) for source in (labeled, unlabeled)}
        write_schedule(recipe.run, name, KEY, schedule, sizes)
        stop_at = 10 if name == "teacher" else 0
        walk(recipe.run, name, KEY, schedule, [labeled, unlabeled], seed, stop_at)
        if not stop_at:
            finish(recipe, name)
    return recipe


def verified(recipe: Recipe, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    capsys.readouterr()
    return main(["verify", recipe.run, *words]), capsys.readouterr().out.splitlines()


def test_says_of_every_model_what_it_was_trained_on(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    code, (teacher, baseline, student, summary) = verified(own, capsys)
    kept = json.loads(Path(schedule_uri(own.run, "student", KEY)).read_bytes())
    slabs = sum(phase["count"] for phase in kept["phases"])
    assert code == OK
    assert student == f"student: {slabs} slabs in {len(kept['phases'])} phases, each trained on exactly once"
    assert baseline.startswith("baseline: ")
    assert teacher.startswith(f"teacher {KEY}, not finished: ")
    assert teacher.endswith(" slabs, each trained on exactly once")
    assert summary.startswith("verify: ")
    assert summary.endswith(": nothing wrong")
    assert "not audited" not in summary


def test_models_of_runs_before_accounting_are_not_audited(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("teacher", "student"):
        shutil.rmtree(Path(own.run) / "training" / name)
    finish(own, "teacher", {"version": "another"})
    code, (baseline, summary) = verified(own, capsys)
    assert code == OK
    assert baseline.startswith("baseline: ")
    assert summary.endswith(", slabs of teacher, student not audited: nothing wrong")


def test_a_slab_twice_and_a_slab_missing_are_found_and_no_repair_mends_them(
    own: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(account_uri(own.run, "student", KEY, 2))
    account = json.loads(file.read_bytes())
    assignments = [hand for hand in account["assignments"] if hand["positions"]]
    position, lost = assignments[-1]["positions"][-1], account["first"] + account["count"]
    assignments[-1]["positions"][-1] += 1
    file.write_text(json.dumps(account))
    for words in ((), ("--repair",)):
        code, lines = verified(own, capsys, *words)
        found = [line for line in lines if line.startswith(f"{own.run}/training/student/slabs/{KEY}: phase ")]
        assert code == FAILED
        assert f"(position {position}) never trained on; delete {own.run}/models/student.safetensors and" in found[0]
        assert f"(position {lost}) trained on" in found[1]
        assert found[1].endswith(f"{own.run}/training/student, then run `ssl-asr student {own.run}` again")
        assert not any(line.startswith("student: ") for line in lines)
        assert lines[-1].endswith(": 2 wrong")


def test_a_lost_account_is_found(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    Path(account_uri(own.run, "teacher", KEY, 4)).unlink()
    code, lines = verified(own, capsys)
    assert code == FAILED
    assert lines[0].startswith(f"{own.run}/training/teacher/slabs/{KEY}: block 4 without an account; delete ")
    assert "never trained on" in lines[1]


@pytest.mark.parametrize("damaged", ["account", "schedule"])
def test_a_truncated_file_is_one_line_and_other_models_are_audited_all_the_same(
    own: Recipe, capsys: pytest.CaptureFixture[str], damaged: str
) -> None:
    uri = account_uri(own.run, "student", KEY, 3) if damaged == "account" else schedule_uri(own.run, "student", KEY)
    Path(uri).write_bytes(Path(uri).read_bytes()[:-9])
    code, (finding, _, baseline, summary) = verified(own, capsys)
    assert code == FAILED
    assert finding.startswith(f"{uri} is not a whole {damaged}")
    assert f"then run `ssl-asr student {own.run}` again" in finding
    assert baseline.startswith("baseline: ")
    assert summary.endswith(": 1 wrong")


def test_accounts_without_their_schedule_are_found(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    uri = schedule_uri(own.run, "student", KEY)
    Path(uri).unlink()
    code, lines = verified(own, capsys)
    assert code == FAILED
    assert lines[0].startswith(f"{uri} cannot be read")
