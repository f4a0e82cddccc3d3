"""The command line: what it refuses and how, what it prints, how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from ray.exceptions import RayError

from ssl_asr.cli.main import FAILED, INTERRUPTED, OK, REFUSED, main
from ssl_asr.corpus.open_speech.packages import FetchError
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime import pipeline
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.store.ledger import Reject
from tests.cluster.training_helpers import own_ray
from tests.runtime.at_work import at_work


def finish(recipe: Recipe, stage: str, rejects: list[Reject] | None = None) -> StageReport:
    return StageClock(recipe, stage, "key").finish(3, 1, rejects or [], {"hours": 1.25})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["techer", "demo"], "unknown command 'techer'; did you mean 'teacher'?"),
        (["xyzzy", "demo"], "unknown command 'xyzzy'; known are corpus, frontend"),
        (["run", "dmeo"], "no recipe 'dmeo': neither a file nor a preset; try demo"),
        (["verify", "runs/nosuch"], "there is neither a run nor a recipe at runs/nosuch"),
        (
            ["run", "demo", "student.network.layrs=3"],
            "unknown recipe key 'student.network.layrs'; did you mean 'layers'?",
        ),
        (["run", "demo", "studnet.layers=3"], "unknown recipe key 'studnet'; did you mean 'student'?"),
        (["run", "demo", "student.network.layers=many"], "recipe value student.network.layers='many': "),
        (["run", "demo", "student.sync.strategy=bmfu"], "did you mean 'bmuf'?"),
        (["run", "demo", "layers"], "'layers' is not an override; write section.key=value"),
        (["run", "demo", "corpus.test_conditions=[clean"], "not valid YAML"),
        (["run"], "the recipe is missing; for example: ssl-asr run demo"),
        (["inspect", "features", "x.parquet"], "invalid choice: 'features' (choose from"),
        (["inspect", "targets"], "the following arguments are required: SHARD"),
        (["plan"], "the recipe is missing; for example: ssl-asr plan demo"),
        (["plan", "paper", "--hours", "many"], "argument --hours: many is not a number; see ssl-asr plan --help"),
        (["plan", "paper", "--gpus", "2.5"], "argument --gpus: 2.5 is not a whole number"),
        (["plan", "paper", "--gpus=0"], "argument --gpus: give more than 0"),
        (["plan", "paper", "--kills-per-hour", "-1"], "argument --kills-per-hour: -1 is negative or infinite"),
        (["plan", "paper", "studnet.layers=3"], "unknown recipe key 'studnet'; did you mean 'student'?"),
        (["run", "demo", "--fast"], "unrecognized arguments: --fast; see ssl-asr"),
    ],
)
def test_refuses_in_one_sentence_before_any_work(capsys, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(words) == REFUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ssl-asr: ")
    assert err.count("\n") == 1
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_names_the_earliest_stage_to_run_first(capsys, tmp_path):
    arguments = ["labelling", "demo", f"run={tmp_path}"]
    assert main(arguments) == FAILED
    assert "run `ssl-asr corpus` with the same recipe first" in capsys.readouterr().err
    recipe = open_recipe("demo", [f"run={tmp_path}"])
    for stage in ("corpus", "frontend", "hmm"):
        finish(recipe, stage)
    assert main(arguments) == FAILED
    assert "run `ssl-asr teacher`" in capsys.readouterr().err


class RemoteError(RayError):
    """As Ray hands a task's error over: its text is a traceback, `cause` is what was raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("ray::work()\n  File ...\n  Traceback ...")
        self.cause = cause


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(recipe: Recipe) -> StageReport:
        raise error

    monkeypatch.setattr(pipeline.Stage, "function", lambda stage: fail)


def test_bad_input_is_one_sentence_without_traceback(capsys, tmp_path, monkeypatch):
    failing(monkeypatch, RemoteError(ValueError("/a.wav holds no sample; remove it")))
    assert main(["corpus", "demo", f"run={tmp_path}"]) == FAILED
    assert capsys.readouterr().err == "ssl-asr: /a.wav holds no sample; remove it\n"


def test_traceback_on_request(tmp_path, monkeypatch):
    failing(monkeypatch, ValueError("/a.wav holds no sample"))
    with pytest.raises(ValueError, match="holds no sample"):
        main(["corpus", "demo", f"run={tmp_path}", "--traceback"])


def test_trouble_of_the_disk_is_one_sentence(capsys, tmp_path, monkeypatch):
    failing(monkeypatch, OSError(28, "No space left on device"))
    assert main(["corpus", "demo", f"run={tmp_path}"]) == FAILED
    said = capsys.readouterr().err
    assert said.startswith("ssl-asr: [Errno 28] No space left on device; fix this, then the same command")


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    failing(monkeypatch, RemoteError(KeyError("x")))
    with pytest.raises(RemoteError):
        main(["corpus", "demo", f"run={tmp_path}"])


def test_interruption_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    failing(monkeypatch, KeyboardInterrupt())
    assert main(["corpus", "demo", f"run={tmp_path}"]) == INTERRUPTED
    assert "the same command continues where it stopped" in capsys.readouterr().err


def test_stage_ends_with_its_line_and_keeps_the_recipe(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.Stage, "function", lambda stage: lambda recipe: finish(recipe, stage.name))
    assert main(["corpus", "demo", f"run={tmp_path}", "student.network.layers=4"]) == OK
    assert capsys.readouterr().out == "corpus: 0 s, 3 shards, 1 done before, hours 1.25\n"
    assert open_recipe(str(tmp_path)).student.network.layers == 4


def test_run_opens_with_its_plan_and_ends_with_table_and_page(capsys, tmp_path, monkeypatch, ray_local):
    from ssl_asr.evaluation.results_file import write_results
    from tests.report.example_run import example_results

    asked = []

    def stand_in(stage: str, recipe: Recipe) -> StageReport:
        asked.append(stage)
        if stage == "evaluate":
            write_results(recipe.run, example_results())
        return finish(recipe, stage, [Reject("a", "empty")] if stage == "frontend" else [])

    monkeypatch.setattr(pipeline.Stage, "function", lambda stage: partial(stand_in, stage.name))
    assert main(["run", "demo", f"run={tmp_path}"]) == OK
    wanted = wanted_stages(load_recipe("demo"))
    assert asked == [stage.name for stage in wanted]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ssl-asr run demo: every stage on real recorded speech")
    assert "two cores" in lines[0]
    assert all(stage.does in lines[1 + place] for place, stage in enumerate(wanted))
    assert any("baseline WER %" in line for line in lines)
    assert any(line.startswith("warning: 1 rejected") for line in lines)
    assert lines[-1] == f"{tmp_path}/report/index.html"


def test_failed_lists_rejects_with_reasons(capsys, tmp_path):
    recipe = open_recipe("demo", [f"run={tmp_path}"])
    finish(recipe, "frontend", [Reject("joe-7", "joe-7.wav is cut short; fetch it again")])
    assert main(["failed", "demo", f"run={tmp_path}"]) == OK
    out = capsys.readouterr().out
    assert "frontend   joe-7: joe-7.wav is cut short; fetch it again" in out
    assert f"1 rejected in {tmp_path}" in out


def test_licences_of_the_recordings(capsys, monkeypatch, tmp_path):
    asked = []

    def texts(cache: Path) -> dict[str, str]:
        asked.append(cache)
        return {"one": "you may copy one\n", "two": "you may copy two\n"}

    monkeypatch.setattr("ssl_asr.corpus.open_speech.packages.licences", texts)
    assert main(["corpus", "demo", "--licences", f"corpus.cache={tmp_path}"]) == OK
    assert main(["corpus", "--licences"]) == OK
    assert "one\n===\nyou may copy one\n\ntwo\n===\n" in capsys.readouterr().out
    assert asked[0] == tmp_path


def test_licences_without_network_are_one_sentence(capsys, monkeypatch):
    def texts(cache: Path) -> dict[str, str]:
        raise FetchError("apt-get is missing here")

    monkeypatch.setattr("ssl_asr.corpus.open_speech.packages.licences", texts)
    assert main(["corpus", "--licences"]) == FAILED
    assert capsys.readouterr().err.count("\n") == 1


def test_entry_point_exits_with_the_code(tmp_path):
    command = Path(sys.executable).with_name("ssl-asr")
    done = subprocess.run([command, "techer"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == REFUSED
    assert "Traceback" not in done.stderr


def test_a_command_that_is_refused_leaves_the_recipe_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = str(tmp_path / "run")
    save_recipe(open_recipe("demo", [f"run={run}"]))
    kept = open_recipe(run)
    with at_work(run, "student") as other:
        for command in ("student", "run"):
            assert main([command, run, "student.network.layers=7"]) == FAILED
            said = capsys.readouterr().err
            assert f"process {other.pid} of " in said
            assert " is running student; wait for it" in said
            assert "begun" not in said
            assert open_recipe(run) == kept


TERMINATED = """
import sys, time
from ssl_asr.cli import commands, main as cli
from ssl_asr.runtime.cluster import joined
def wait(*_):
    with joined():
        print("up", flush=True)
        time.sleep(100)
commands.run_one = wait
sys.exit(cli.main(["corpus", "demo"]))
"""


def test_sigterm_ends_as_ctrl_c_does() -> None:
    process = subprocess.Popen([sys.executable, "-c", TERMINATED], env=own_ray(), stdout=-1, stderr=-1, text=True)
    try:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == INTERRUPTED
    assert said.splitlines()[-1] == "ssl-asr: interrupted; the same command continues where it stopped"
    assert "SIGTERM" not in said
