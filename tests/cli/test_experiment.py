"""`ssl-asr experiment`: what it lists, plans, refuses, and writes of runs that are there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from ssl_asr.cli import commands
from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.transcripts import write_transcripts
from ssl_asr.recipe import Recipe
from tests.studies.made_up import study

STUDENTS = "baseline, student, evaluate"
ALL = f"corpus, frontend, hmm, teacher, labelling, {STUDENTS}, report"


@pytest.mark.parametrize("words", [["experiment"], ["experiment", "--list"]])
def test_lists_our_studies_with_their_questions_and_sizes(words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)  # without runs, whose speeds the planner would take
    assert main(words) == OK
    said = capsys.readouterr().out
    assert "ssl           3      45  does speech without transcripts make a causal student better?" in said
    assert max(map(len, said.splitlines())) <= 125


def test_a_dry_run_names_the_runs_and_makes_nothing(tmp_path, capsys) -> None:
    words = ["experiment", "schedule", "--seeds", "4", "--runs", str(tmp_path / "runs"), "--dry-run"]
    assert main(words) == OK
    *lines, total = capsys.readouterr().out.splitlines()
    found = [
        re.fullmatch(rf"(.+), seed 4: {tmp_path}/runs/demo-4-.+, to be made, about (.+) min: (.+)", line)
        for line in lines
    ]
    assert [each and each.group(1, 3) for each in found] == [
        ("interleaved", ALL),
        *((variant, STUDENTS) for variant in ("blocks", "segregated", "no-boost", "much-boost")),
    ]
    minutes = sum(float(each[2]) for each in found if each)
    whole = re.fullmatch(r"about (\d+) min in all, by the planner; `ssl-asr plan` has its sources", total)
    assert whole
    assert int(whole[1]) == pytest.approx(minutes, abs=1)
    assert not (tmp_path / "runs").exists()


def test_another_recipe_has_runs_of_its_own(tmp_path, capsys) -> None:
    asked = ["experiment", "convrnnt", "--recipe", "transducer-demo", "--seeds", "4"]
    words = [*asked, "--runs", str(tmp_path), "--dry-run"]
    assert main(words) == OK
    (run, _) = capsys.readouterr().out.splitlines()
    assert run.startswith(f"all, seed 4: {tmp_path}/transducer-demo-4-")
    assert "student, transducers, evaluate, report" in run
    assert main([*words, "--recipe", "transducer-dmo"]) == FAILED
    assert "no recipe 'transducer-dmo': neither a file nor a preset; try transducer-demo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["experiment", "sssl"], "there is no study 'sssl', neither a file nor one of ours; try ssl"),
        (["experiment", "ssl", "student.netwrk.layers=3"], "unknown recipe key 'student.netwrk'"),
        (["experiment", "ssl", "--seeds", "1", "1"], "a seed is there twice"),
        (["experiment", "capacity", "evaluate.topline=maybe"], "evaluate.topline"),
    ],
)
def test_refuses_in_one_sentence(words, sentence, capsys) -> None:
    assert main(words) == FAILED
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_system_that_no_variant_has_is_refused_before_any_run(tmp_path, capsys) -> None:
    values = study().model_dump(mode="json")
    values["comparisons"][0]["candidate"] = "new/student-smbr"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert main(["experiment", str(tmp_path / "mine.yaml"), "--runs", str(tmp_path / "runs")]) == FAILED
    assert (
        "'new' of order has no system 'student-smbr'; it has baseline, teacher, student, " in capsys.readouterr().err
    )
    assert not (tmp_path / "runs").exists()


def test_a_condition_that_is_not_tested_is_refused_before_any_run(tmp_path, capsys) -> None:
    told = "compares babble-20, which 'all' does not test; corpus.test_conditions has clean"
    assert main(["experiment", "ssl", "corpus.test_conditions=[clean]", "--runs", str(tmp_path / "runs")]) == FAILED
    assert told in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_stage_that_reports_nothing_is_refused_before_any_run(tmp_path, capsys) -> None:
    values = study().model_dump(mode="json")
    values["comparisons"][0] |= {"baseline": "old/hypotheses", "figure": "hours"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert main(["experiment", str(tmp_path / "mine.yaml"), "--runs", str(tmp_path / "runs")]) == FAILED
    assert "'old' of order has no stage 'hypotheses' to report hours; it has corpus, " in capsys.readouterr().err


def test_a_folder_with_a_readme_of_its_own_is_refused_before_any_run(tmp_path, capsys) -> None:
    (tmp_path / "README.md").write_text("# My project\n")
    assert main(["experiment", "ssl", "--runs", str(tmp_path / "runs"), "-o", str(tmp_path)]) == FAILED
    assert f"{tmp_path}/README.md is no table of studies and would be overwritten; name" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "# My project\n"
    assert not (tmp_path / "runs").exists()


def test_what_goes_on_tells_which_runs_were_finished(tmp_path, capsys, monkeypatch) -> None:
    made: list[str] = []

    def stopped(recipe: Recipe) -> None:
        if len(made) == 2:
            raise ValueError("stopped")
        made.append(recipe.run)

    monkeypatch.setattr(commands, "run_all", stopped)
    monkeypatch.setattr("ssl_asr.studies.runs.is_finished", lambda recipe: recipe.run in made)
    words = ["experiment", "ssl", "--runs", str(tmp_path / "runs"), "-o", str(tmp_path / "results")]
    said = []
    for _ in range(2):
        assert main(words) == FAILED
        said.append([line for line in capsys.readouterr().out.splitlines() if line.startswith("run ")])
    assert [line.endswith(", finished before") for line in (*said[0], said[1][0])] == [False, False, False, True]
    assert not (tmp_path / "results" / "ssl.md").exists(), "a page is of all seeds"


def test_writes_page_plot_figures_and_the_table_of_all(
    finished_run: Recipe, tmp_path: Path, capsys, monkeypatch
) -> None:
    """Runs that are there, whose hypotheses are made up: of every utterance, the student loses fewer words."""

    def say_words(recipe: Recipe) -> None:
        """In place of the stages: a copy of the finished run, and hypotheses that lose one or two words each."""
        shutil.copytree(finished_run.run, recipe.run, dirs_exist_ok=True)
        said, lost = references(recipe, "test"), 2 if recipe.evaluate.beam == 9 else 1
        words = {name: tuple((each.text or "").split()[lost:]) for name, each in said.items()}
        found = tuple(Hypothesis(name, each, 0, 0, 0) for name, each in words.items())
        write_transcripts(recipe.run, "student", [DecodedSlab({}, 0.0, found)], said)
        report = Path(recipe.run, "stages", "student.json")
        report.write_text(json.dumps(json.loads(report.read_text()) | {"figures": {"hours": 1.5}}))

    monkeypatch.setattr(commands, "run_all", say_words)
    values = study(seeds=(1, 2)).model_dump(mode="json")
    values |= {"recipe": finished_run.run, "variants": {"old": ["evaluate.beam=9"], "new": ["evaluate.beam=10"]}}
    values["comparisons"].append(
        {
            "name": "as many hours",
            "baseline": "old/student",
            "candidate": "new/student",
            "at_least": -1,
            "figure": "hours",
        }
    )
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    out = tmp_path / "results"
    assert main(["experiment", str(tmp_path / "mine.yaml"), "--runs", str(tmp_path / "runs"), "-o", str(out)]) == OK
    said = capsys.readouterr().out
    assert "run 4 of 4: new, seed 2" in said
    assert "new against old: reproduced, +50.0 %" in said
    assert "as many hours: reproduced, +0.0 % [+0.0, +0.0] less hours" in said
    assert {file.name for file in out.iterdir()} == {"README.md", "order.md", "order.png", "order.json"}
    assert json.loads((out / "order.json").read_text())["compared"][0]["verdict"] == "reproduced"
    assert "[order](order.md)" in (out / "README.md").read_text()
    (out / "other.json").write_text("[]")
    assert (
        main(["experiment", str(tmp_path / "mine.yaml"), "--runs", str(tmp_path / "runs"), "-o", str(out)]) == FAILED
    )
    assert f"{out}/other.json is no outcome of a study; move it" in capsys.readouterr().err
