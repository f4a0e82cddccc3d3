"""`ssl-asr export`: what a bundle holds, what its card says, and which runs are refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.evaluation.bootstrap import Interval
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import MADE_FROM, load_model, model_id, save_model
from ssl_asr.recipe import BlstmNetwork, Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.exporting.card import more_errors
from ssl_asr.serving.exporting.export import Exported, export
from ssl_asr.serving.exporting.measure import FULL, INT8
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.weights import read_weights, write_weights


@pytest.fixture
def source(toy_source: Recipe, tmp_path: Path) -> Recipe:
    """A copy of the run, to change."""
    shutil.copytree(toy_source.run, tmp_path / "run")
    recipe = toy_source.model_copy(update={"run": str(tmp_path / "run")})
    save_recipe(recipe)
    return recipe


def test_it_says_all_that_an_engine_needs(toy_export: Exported, toy_source: Recipe) -> None:
    described, results = open_bundle(toy_export.folder).description, read_results(toy_source.run)
    assert described.scoring.acoustic_scale == results.kappa["student"]
    assert described.scoring.prior_scale == results.prior_scale["student"]
    assert (described.search.beam, described.search.max_active) == (
        toy_source.evaluate.beam,
        toy_source.evaluate.max_active,
    )
    assert described.frontend == toy_source.frontend
    assert described.network.look_ahead == 1
    assert described.prior.mean == (9.0,) * 64
    assert described.versions["torch"].startswith("2.")


def test_the_weights_are_those_of_the_run(toy_export: Exported, toy_source: Recipe) -> None:
    _, about = load_model(str(toy_export.folder / "model.safetensors"))
    assert about["senone_set"] == open_bundle(toy_export.folder).description.senone_set
    expected = Path(model_uri(toy_source.run, "student")).read_bytes()
    assert (toy_export.folder / "model.safetensors").read_bytes() == expected


def test_an_adapted_model_has_the_scales_of_the_model_before(source: Recipe, tmp_path: Path) -> None:
    name, student = "adapted-student-ewc-a1b2c3-10", model_uri(source.run, "student")
    weights, about = read_weights(student)
    adapted = {each: 1.01 * tensor for each, tensor in weights.items()}
    write_weights(model_uri(source.run, name), adapted, {**about, MADE_FROM: {"model": model_id(student)}})
    exported = export(source, name, tmp_path / "bundle")
    described, results = open_bundle(exported.folder).description, read_results(source.run)
    assert described.model == name
    assert described.scoring.acoustic_scale == results.kappa["student"]
    assert "was trained on for speakers whom it understood worse" in (exported.folder / "README.md").read_text()
    write_weights(model_uri(source.run, name), adapted, {**about, MADE_FROM: {"model": "another"}})
    with pytest.raises(ValueError, match="was made of another student than the run's; run `ssl-asr adapt"):
        export(source, name, tmp_path / "other")
    with pytest.raises(ValueError, match=r"no model 'adapted-student-l2sp-1'; .*no such adapted one"):
        export(source, "adapted-student-l2sp-1", tmp_path / "other")


def test_its_full_network_makes_the_errors_of_the_run(toy_export: Exported, toy_source: Recipe) -> None:
    found = {row.system: row for row in toy_export.measured.rows if (row.set, row.condition) == ("all", "all")}
    expected = read_results(toy_source.run).dev_row("student")
    assert found[FULL].wer == pytest.approx(expected.wer)
    assert found[INT8].words == expected.words
    assert toy_export.difference < 1e-5


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "+0.0 %"), (0.0004, "+0.0 %"), (0.02, "-2.0 %"), (-0.02, "+2.0 %")]
)
def test_no_difference_has_no_minus(value: float, text: str) -> None:
    limits = text.removesuffix(" %")
    assert more_errors(Interval(value, value, value)) == f"{text} [{limits}, {limits}]"


def test_the_card_is_in_the_hubs_form(toy_export: Exported, toy_source: Recipe) -> None:
    card = (toy_export.folder / "README.md").read_text()
    _, front, body = card.split("---\n", 2)
    (model,) = yaml.safe_load(front)["model-index"]
    results, rows = model["results"], read_results(toy_source.run)
    values = {each["dataset"]["name"]: each["metrics"][0]["value"] for each in results}
    everything = rows.row("student")
    assert values["demo: all sets, all conditions"] == round(100 * everything.wer, 1)
    assert values["demo: set bob, all conditions"] == round(100 * rows.row("student", "bob").wer, 1)
    assert "| set | condition | words | fp32 WER % | int8 WER % |" in body
    assert f"| all | all | {everything.words:,} | {100 * everything.wer:.1f} [" in body
    assert toy_source.run not in card
    assert "## Licences" in body


def test_equal_runs_give_equal_bundles(toy_export: Exported, toy_source: Recipe, tmp_path: Path) -> None:
    export(toy_source, "student", tmp_path / "again")
    names = sorted(os.listdir(toy_export.folder))
    assert sorted(os.listdir(tmp_path / "again")) == names
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (toy_export.folder / name).read_bytes(), name


def test_the_command(source: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", source.run, "--model", "baseline", "-o", str(tmp_path / "out"), "--measure", "test"]) == OK
    out = capsys.readouterr().out
    assert f"{tmp_path}/out: " in out
    assert "WER on test" in out
    assert open_bundle(tmp_path / "out").description.model == "baseline"
    assert "transcribed speech only" in (tmp_path / "out" / "README.md").read_text()


def test_a_model_that_is_not_there_is_refused(
    source: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", source.run, "--model", "studnet", "-o", str(tmp_path / "out")]) == FAILED
    assert "has no model 'studnet'; it has baseline" in capsys.readouterr().err
    assert main(["export", "demo", "run=/nowhere", "-o", str(tmp_path / "out")]) == FAILED
    assert "there is no run at /nowhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["export", source.run, "-o", "s3://bucket/out"]) == FAILED
    assert "s3://bucket/out is no local folder" in capsys.readouterr().err


def test_a_model_that_needs_whole_utterances_is_refused(source: Recipe, tmp_path: Path) -> None:
    senones = load_senones(source.run)
    model = AcousticModel(ModelSpec(BlstmNetwork(layers=1, units=4), 192, senones.size))
    save_model(model_uri(source.run, "teacher"), model, {"senone_set": senones.id})
    with pytest.raises(ValueError, match="needs whole utterances, so it can't stream"):
        export(source, "teacher", tmp_path / "out")


def test_results_of_another_model_are_not_taken_for_its_own(source: Recipe, tmp_path: Path) -> None:
    results = read_results(source.run)
    write_results(source.run, replace(results, inputs={**results.inputs, "student": "0123456789ab"}))
    with pytest.raises(ValueError, match="are of another student than it has now; run evaluate again"):
        export(source, "student", tmp_path / "out")


def test_a_run_without_results_is_refused(source: Recipe, tmp_path: Path) -> None:
    (Path(source.run) / "decoding" / "results.json").unlink()
    with pytest.raises(ValueError, match="run the evaluate stage first"):
        export(source, "student", tmp_path / "out")


def test_a_damaged_graph_is_refused(source: Recipe, tmp_path: Path) -> None:
    (graph,) = Path(source.run).glob("decoding/graphs/*/HCLG.fst")
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ValueError, match="is damaged; delete its folder"):
        export(source, "student", tmp_path / "out")


def test_a_killed_export_leaves_no_half_bundle(source: Recipe, tmp_path: Path) -> None:
    """Killed while it writes; the next export cleans up and finishes."""
    slow = (
        "import sys, time; from ssl_asr.serving.exporting import publish as p; write = p._write\n"
        "def slow(path, data):\n    write(path, data); print('wrote', flush=True); time.sleep(60)\n"
        "p._write = slow\n"
        "from ssl_asr.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", slow, "export", source.run, "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"wrote\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.1)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.glob("out.tmp-*")]
    export(source, "student", tmp_path / "out")
    open_bundle(tmp_path / "out").verify()
    assert not list(tmp_path.glob("out.tmp-*"))
