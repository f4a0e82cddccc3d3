"""`ssl-asr export --model TRANSDUCER`: what a bundle holds, and the commands that use it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.evaluation.inputs import describe_transducer
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.evaluation.transducer_results import TransducerErrors
from ssl_asr.recipe import BlstmNetwork, Recipe
from ssl_asr.recipe.predictor import LstmPredictor
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.description import WEIGHTS, TransducerDescription
from ssl_asr.serving.exporting.transducers.export import export_transducer
from ssl_asr.serving.exporting.transducers.measure import Compared, slabs_of
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.greedy_steps import GreedySteps
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import TransducerModel, TransducerSpec
from ssl_asr.transducer.model_files import save_transducer
from ssl_asr.transducer.model_steps import ModelSteps
from tests.lang.test_word_pieces import trained
from tests.transducer.small import transducer
from tests.transducer_bundle import Recorded, recorded_clips


@pytest.fixture
def source(transducer_source: Recipe, tmp_path: Path) -> Recipe:
    """A copy of the run, to change."""
    shutil.copytree(transducer_source.run, tmp_path / "run")
    recipe = transducer_source.model_copy(update={"run": str(tmp_path / "run")})
    save_recipe(recipe)
    return recipe


def test_it_says_all_that_an_engine_needs(recorded: Recorded) -> None:
    described = open_bundle(recorded.exported.folder).description
    assert isinstance(described, TransducerDescription)
    settings = recorded.recipe.transducers[recorded.name]
    assert (described.search.beam, described.search.max_symbols) == (
        settings.search.beam,
        settings.search.max_symbols,
    )
    assert (described.network.kind, described.network.joiner) == (settings.network.kind, settings.joiner)
    assert described.network.look_ahead == recorded.model.encoder.look_ahead
    assert described.frontend == recorded.recipe.frontend
    assert described.prior.mean == (9.0,) * 64
    assert (described.model, described.language, described.outputs) == (recorded.name, "en", 200)
    weights = Path(model_uri(recorded.recipe.run, recorded.name)).read_bytes()
    assert (recorded.exported.folder / WEIGHTS).read_bytes() == weights


def test_equal_runs_give_equal_bundles(recorded: Recorded, tmp_path: Path) -> None:
    export_transducer(recorded.recipe, recorded.name, tmp_path / "again")
    names = sorted(os.listdir(recorded.exported.folder))
    assert sorted(os.listdir(tmp_path / "again")) == names
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (recorded.exported.folder / name).read_bytes(), name


def test_the_card_has_the_results_of_just_this_model(source: Recipe, tmp_path: Path) -> None:
    results = read_results(source.run)
    rows = [replace(row, system="rnnt") for row in results.rows if row.system == "student"]
    inputs = {**results.inputs, "transducer rnnt": describe_transducer(source, "rnnt").key, "transducer conv": "old"}
    tested = [TransducerErrors("rnnt", rows), TransducerErrors("conv", rows)]
    write_results(source.run, replace(results, transducers=tested, inputs=inputs))
    for name, expected in (("rnnt", round(100 * results.row("student").wer, 1)), ("conv", None)):
        export_transducer(source, name, tmp_path / name)
        card = (tmp_path / name / "README.md").read_text()
        _, front, body = card.split("---\n", 2)
        (model,) = yaml.safe_load(front)["model-index"]
        values = {each["dataset"]["name"]: each["metrics"][0]["value"] for each in model["results"]}
        assert values.get("demo: all sets, all conditions") == expected
        assert bool(open_bundle(tmp_path / name).description.results) == (expected is not None)
        assert "The exported networks on dev" in body
        assert source.run not in card


def test_other_networks_are_told_apart() -> None:
    """What the export compares with torch is each log-probability, NaN included."""
    one, other = (ModelSteps(transducer(seed=seed)) for seed in (1, 2))
    frames = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    for pair, different in (((one, one), False), ((one, other), True)):
        compared = Compared(*pair)
        search = GreedySteps(compared, 2)
        search.accept(np.concatenate([frames, frames], -1))
        assert (compared.difference > 0) == different
        alone = GreedySteps(one, 2)
        alone.accept(frames)
        assert search.hypotheses() == alone.hypotheses() != [Hypothesis((), (), (), 0.0, 0.0)]
    compared = Compared(one, one)
    GreedySteps(compared, 2).accept(np.concatenate([frames, np.full_like(frames, np.nan)], -1))
    assert np.isnan(compared.difference)


def test_the_commands(recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(tmp_path / "out")
    assert main(["export", recorded.recipe.run, "--model", recorded.name, "-o", bundle, "--measure", "test"]) == OK
    assert "of torch; WER on test" in capsys.readouterr().out
    files = [tmp_path / f"{number}.wav" for number in range(2)]
    for file, samples in zip(files, recorded_clips(8000), strict=False):
        soundfile.write(file, samples, 8000, subtype="FLOAT")
    expected = [recorded.engine.recognise(samples)[0] for samples in recorded_clips(8000)[:2]]

    assert main(["transcribe", bundle, str(files[0]), "--format", "json"]) == OK
    words = [word for each in json.loads(capsys.readouterr().out)["segments"] for word in each["words"]]
    assert [each["word"] for each in words] == [each.word for each in expected[0].words]
    assert [each["start"] for each in words] == [each.start for each in expected[0].words]
    assert [each["confidence"] for each in words] == [each.confidence for each in expected[0].words]

    assert main(["listen", bundle, str(files[0]), "--fast", "--no-endpoints", "--chunk-ms", "70"]) == OK
    assert capsys.readouterr().out.strip() == expected[0].text

    texts = [
        {"audio_filepath": str(file), "duration": 3, "text": each.text}
        for file, each in zip(files, expected, strict=True)
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(each) + "\n" for each in texts))
    assert main(["evaluate", bundle, "--test", f"nemo:{tmp_path / 'test.jsonl'}"]) == OK
    assert " 0.0" in capsys.readouterr().out


def test_what_the_commands_refuse(recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, bundle, audio = recorded.recipe.run, str(recorded.exported.folder), str(tmp_path / "a.wav")
    soundfile.write(audio, recorded_clips(8000)[0], 8000)
    refused = {
        (
            "transcribe",
            bundle,
            audio,
            "--nbest",
            "9",
            "--format",
            "json",
        ): "--nbest 9 is more than the beam of this tr",
        ("transcribe", bundle, audio, "--hotwords", "names.txt"): "has no graph for --hotwords; leave it out",
        ("transcribe", bundle, audio, "--int8"): "has no 8-bit network",
        (
            "listen",
            bundle,
            audio,
            "--fast",
            "--rule2-min-trailing-silence",
            "0.3",
        ): "can't tell where a sentence ends",
        (
            "export",
            run,
            "--model",
            recorded.name,
            "--for",
            "sherpa-onnx",
            "-o",
            f"{tmp_path}/s",
        ): "can't be exported for sherpa-onnx",
        (
            "export",
            run,
            "--model",
            "rnn",
            "-o",
            f"{tmp_path}/s",
        ): "has no model 'rnn'; it has baseline, teacher, stude",
    }
    for command, said in refused.items():
        assert main(list(command)) == FAILED
        assert said in capsys.readouterr().err


def test_models_that_can_not_be_used_are_refused(source: Recipe, tmp_path: Path) -> None:
    Path(model_uri(source.run, "rnnt")).unlink()
    with pytest.raises(ValueError, match=r"rnnt.safetensors is missing; run the transducers stage first"):
        export_transducer(source, "rnnt", tmp_path / "out")
    whole = TransducerSpec(
        BlstmNetwork(layers=1, units=4), LstmPredictor(units=4, embedding=2), 4, 192, len(trained())
    )
    save_transducer(model_uri(source.run, "rnnt"), TransducerModel(whole), trained(), {})
    with pytest.raises(ValueError, match="needs whole utterances, so it can't stream"):
        export_transducer(source, "rnnt", tmp_path / "out")
    save_transducer(model_uri(source.run, "rnnt"), transducer(outputs=len(trained())), trained(), {})
    with pytest.raises(ValueError, match="takes 4 values of a frame, the run's front end makes 192"):
        export_transducer(source, "rnnt", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(slabs_of(source, "dev")) == 2


def test_a_search_with_an_ngram_is_not_exported_in_silence(
    source: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", source.run, "--model", "rnnt", "-o", str(tmp_path / "bundle")]
    assert main([*words, "transducers.rnnt.search.lm_weight=0.3"]) == FAILED
    said = capsys.readouterr().err
    assert "search.lm_weight=0.3 is of an n-gram, which an export does not hold; add transducers.rnnt" in said
    assert not (tmp_path / "bundle").exists()
