"""The command line: its help, and where options, values and overrides may stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ssl_asr.cli import main as cli
from ssl_asr.cli.main import OK, main
from ssl_asr.recipe import Recipe
from ssl_asr.runtime import pipeline
from ssl_asr.runtime.pipeline import NAMES


def test_help_is_worth_reading_and_imports_nothing_heavy():
    heavy = "{'torch', 'ray', 'pydantic', 'pyarrow', 'numpy'}"
    code = (
        "import sys, ssl_asr.cli.main as c; c.build_parser()[0].print_help(); "
        f"sys.exit(bool({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, "help imports something heavy"
    for word in (*NAMES, "status", "failed", "--licences", "key=value", "demo", "laptop", "paper"):
        assert word in done.stdout


def test_known_commands_are_the_parsers(capsys):
    for name in (*pipeline.NAMES, "run", "plan", "status", "failed", "inspect"):
        with pytest.raises(SystemExit) as end:
            cli.main([name, "--help"])
        assert end.value.code == 0
        assert f"ssl-asr {name}" in capsys.readouterr().out


def test_plan_takes_options_and_overrides_in_any_order(capsys, tmp_path):
    words = ["plan", "--hours", "2e5", "paper", "student.network.units=428", "--gpus", "8", f"run={tmp_path}/run"]
    assert main(words) == OK
    out = capsys.readouterr().out
    assert "200,000 h unlabeled" in out
    assert "8 GPUs to train" in out
    assert "student, 8." in out  # millions of parameters
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--sample", "10"], ["--sample=10"], ["--samp", "10", "--repair"]])
def test_a_value_follows_its_option_wherever_that_stands(monkeypatch, tmp_path, words):
    asked = []

    def verify(recipe: Recipe, *, fixes: bool, sample: int | None) -> bool:
        asked.append((recipe.run, recipe.seed, fixes, sample))
        return True

    monkeypatch.setattr("ssl_asr.cli.commands.verify", verify)
    around = ["demo", f"run={tmp_path}", "seed=7"]
    for place in range(4):
        assert main(["verify", *around[:place], *words, *around[place:]]) == OK
    assert asked == [(str(tmp_path), 7, "--repair" in words, 10)] * 4


def test_the_real_command_line_takes_a_value_behind_an_option(tmp_path):
    command = Path(sys.executable).with_name("ssl-asr")
    words = ["verify", "runs/nosuch", "--sample", "10"]
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr.startswith("ssl-asr: there is neither a run nor a recipe at runs/nosuch")


@pytest.mark.parametrize(("name", "usage"), [("run", " RECIPE [key=value ...]"), ("corpus", " [RECIPE] [key=value")])
def test_usage_has_brackets_around_what_may_be_left_out(capsys, name, usage):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert usage in " ".join(capsys.readouterr().out.split())
