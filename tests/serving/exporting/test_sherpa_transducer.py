"""A transducer for sherpa-onnx: its encoder's outputs and the pieces that it finds are ours, on recorded speech."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.recipe import LstmNetwork, NetworkSection, ProjectedLstmNetwork, Recipe, parse_recipe
from ssl_asr.recipe.predictor import PredictorSection, StatelessPredictor, TransducerSearch
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.exporting.sherpa.export import PROGRAM, SETTINGS
from ssl_asr.serving.exporting.sherpa.transducer_export import ENCODER, JOINER
from ssl_asr.serving.exporting.sherpa.transducer_networks import DECODED, ENCODED
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model import TransducerModel, TransducerSpec
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from ssl_asr.transducer.recognise import recognise
from tests.lang.test_word_pieces import trained
from tests.serving.exporting.test_sherpa import energies, scores
from tests.transducer.small import make_lively
from tests.transducer_bundle import frames_of, recorded_clips

RATE, TAIL = 8000, 2400
NETWORKS = {
    "lstm": LstmNetwork(layers=2, units=12, look_ahead=2, dropout=0.1),
    "projected-lstm": ProjectedLstmNetwork(layers=2, units=10, projection=9, look_ahead=1),
}
JOINED = 9


def model_of(network: NetworkSection, predictor: PredictorSection, recipe: Recipe) -> TransducerModel:
    frames = torch.from_numpy(np.concatenate([frames_of(recipe, each) for each in recorded_clips(RATE)]))
    torch.manual_seed(0)
    model = TransducerModel(TransducerSpec(network, predictor, JOINED, 192, len(trained()))).eval()
    model.set_statistics(frames.mean(0), frames.std(0) + 1e-3)
    make_lively(model, frames, 0.5)
    return model


@pytest.fixture(scope="module", params=NETWORKS)
def run(
    request: pytest.FixtureRequest, transducer_source: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Recipe:
    """With a transducer of this network that sherpa-onnx can run, which searches greedily."""
    folder, predictor = tmp_path_factory.mktemp(request.param) / "run", StatelessPredictor(units=8, context=2)
    shutil.copytree(transducer_source.run, folder)
    values = transducer_source.model_dump(mode="json") | {"run": str(folder)}
    network = NETWORKS[request.param].model_dump(mode="json")
    changed = {"network": network, "predictor": predictor.model_dump(mode="json"), "search": {"beam": 1}}
    values["transducers"] = {"rnnt": values["transducers"]["rnnt"] | changed}
    recipe = parse_recipe(values)
    save_recipe(recipe)
    model = model_of(NETWORKS[request.param], predictor, recipe)
    save_transducer(model_uri(recipe.run, "rnnt"), model, trained(), {})
    return recipe


@pytest.fixture(scope="module")
def exported(run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sherpa") / "model"
    assert main(["export", run.run, "--model", "rnnt", "--for", "sherpa-onnx", "-o", str(folder)]) == OK
    return folder


def test_encoder_outputs_are_ours_and_say_where_there_is_no_audio(run: Recipe, exported: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported / ENCODER), providers=["CPUExecutionProvider"])
    model, _, _ = load_transducer(model_uri(run.run, "rnnt"))
    ahead = model.encoder.look_ahead
    samples = np.concatenate([recorded_clips(RATE)[0], np.zeros(TAIL, np.float32)])
    frames = torch.from_numpy(frames_of(run, samples))
    with torch.inference_mode():
        ours = model.project(model.encode_whole(frames[None], torch.tensor([len(frames)])))[0].numpy()
    (theirs,) = scores(session, [energies(samples)], ENCODED)
    assert theirs[:, JOINED].tolist() == [1.0] * ahead + [0.0] * (len(theirs) - ahead)
    known = len(theirs) - ahead - 2  # the end of the signal is mirrored here
    assert known > 60
    difference = np.abs(theirs[ahead : ahead + known, :JOINED] - ours[:known])
    assert np.median(difference) < 1e-4
    assert difference.max() < 0.02


def test_streams_in_one_batch_are_as_alone(exported: Path) -> None:
    session = onnxruntime.InferenceSession(str(exported / ENCODER), providers=["CPUExecutionProvider"])
    whole = energies(recorded_clips(RATE)[0])
    parts = [whole[:90], whole[60:150]]
    together = scores(session, parts, ENCODED)
    for number, part in enumerate(parts):
        np.testing.assert_allclose(together[number], scores(session, [part], ENCODED)[0], atol=1e-4)


def test_blank_wins_where_there_is_no_audio(exported: Path) -> None:
    joiner = onnxruntime.InferenceSession(str(exported / JOINER), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    encoded = random.normal(size=(50, JOINED + 1)).astype(np.float32)
    decoded = random.normal(size=(50, JOINED)).astype(np.float32)
    best = {}
    for flag in (0.0, 1.0):
        encoded[:, JOINED] = flag
        (logits,) = joiner.run(None, {ENCODED: encoded, DECODED: decoded})
        best[flag] = logits.argmax(1)
    assert (best[1.0] == 0).all()
    assert (best[0.0] != 0).any()


@pytest.fixture(scope="module")
def program(exported: Path) -> dict[str, Any]:
    """What `recognise.py` of the export defines."""
    pytest.importorskip("sherpa_onnx")
    return runpy.run_path(str(exported / PROGRAM))


def test_pieces_and_their_frames_are_ours(run: Recipe, exported: Path, program: dict[str, Any]) -> None:
    made = program["recogniser"](exported)
    model, pieces, _ = load_transducer(model_uri(run.run, "rnnt"))
    ahead, found = model.encoder.look_ahead, 0
    for samples in recorded_clips(RATE):
        heard = torch.from_numpy(frames_of(run, np.concatenate([samples, np.zeros(TAIL, np.float32)])))
        ((best, *_),) = recognise(model, [heard], TransducerSearch(beam=1, max_symbols=1))
        result = program["recognise"](made, samples, RATE)
        until = len(samples) // 240 - 3  # where the signal's end makes no difference
        ours = [
            (frame, pieces.pieces[label])
            for frame, label in zip(best.frames, best.labels, strict=True)
            if frame < until
        ]
        theirs = [
            (round(time / 0.04) - ahead, piece.replace(" ", "\u2581"))
            for time, piece in zip(result.timestamps, result.tokens, strict=True)
        ]
        assert [each for each in theirs if each[0] < until] == ours
        found += len(ours)
    assert found > 20


def test_several_hypotheses_at_a_time_run_too(exported: Path, program: dict[str, Any]) -> None:
    made = program["recogniser"](exported, decoding_method="modified_beam_search", max_active_paths=4)
    assert program["recognise"](made, recorded_clips(RATE)[0], RATE).tokens


def test_the_files_say_what_sherpa_onnx_has_to_be_told(run: Recipe, exported: Path) -> None:
    settings = json.loads((exported / SETTINGS).read_text())
    assert (settings["sample_rate"], settings["high_freq"]) == (run.frontend.sample_rate, run.frontend.high_hz)
    assert settings["decoding_method"] == "greedy_search"
    tokens = (exported / "tokens.txt").read_text().splitlines()
    assert tokens == [f"{piece} {number}" for number, piece in enumerate(trained().pieces)]
    assert "at most one word piece" in (exported / "README.md").read_text()


def test_what_sherpa_onnx_cannot_run_is_refused_in_a_sentence(
    transducer_source: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", transducer_source.run, "--for", "sherpa-onnx", "-o", str(tmp_path / "out"), "--model"]
    assert main([*words, "conv"]) == FAILED
    assert "kind 'conv-rnnt' can't be exported for sherpa-onnx; only 'lstm' and" in capsys.readouterr().err
    assert main([*words, "rnnt"]) == FAILED
    said = capsys.readouterr().err
    assert "whose predictor is of kind 'lstm' can't be exported for sherpa-onnx; train one with" in said
    assert not (tmp_path / "out").exists()
