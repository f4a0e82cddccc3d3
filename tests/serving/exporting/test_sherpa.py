"""What is exported for sherpa-onnx: scores and words as the engine's, on recorded speech."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import kaldi_native_fbank as knf
import numpy as np
import onnxruntime
import pytest
import torch

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.decoding.scores import Scales
from ssl_asr.evaluation.scoring import Edits, count_edits
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.lang.fst_arrays import ARC, from_numpy
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import Frontend, LstmNetwork
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.serving.description import NetworkShape
from ssl_asr.serving.exporting.onnx_export import to_onnx
from ssl_asr.serving.exporting.sherpa.export import PROGRAM, SETTINGS
from ssl_asr.serving.exporting.sherpa.front_end import BEFORE, ENERGIES, FrontEnd
from ssl_asr.serving.exporting.sherpa.graph import after_silence
from ssl_asr.serving.exporting.sherpa.network import SCORES, to_sherpa
from ssl_asr.serving.network import Network
from ssl_asr.serving.streaming.scorer import OnlineScorer
from tests.conftest import CACHE
from tests.corpus.conftest import rows_of
from tests.serving.conftest import Spoken

FRONTEND = Frontend(sample_rate=8000, high_hz=3900, mean_memory_seconds=5.0)
SENONES, AHEAD, CHUNK, RATE = 30, 3, 9, 8000
SCALES = Scales(0.3, 0.75)
MEAN, LEVEL = np.linspace(12.0, 16.0, 64), 16.5
Array = np.ndarray


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    torch.manual_seed(0)
    made = AcousticModel(ModelSpec(LstmNetwork(layers=2, units=24, look_ahead=AHEAD, dropout=0.0), 192, SENONES))
    made.set_statistics(torch.randn(192), torch.rand(192) + 1)
    return made.eval()


@pytest.fixture(scope="module")
def session(model: AcousticModel) -> onnxruntime.InferenceSession:
    data = to_sherpa(model, FrontEnd(FRONTEND, MEAN, LEVEL, CHUNK), priors(), SCALES)
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def priors() -> Array:
    return np.log(np.random.default_rng(1).dirichlet(np.ones(SENONES))).astype(np.float32)


def energies(samples: Array) -> Array:
    """As sherpa-onnx computes them with the settings that we give it."""
    options = knf.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither, options.frame_opts.snip_edges = 8000, 0, False
    options.mel_opts.num_bins, options.mel_opts.low_freq, options.mel_opts.high_freq = 64, 20, 3900
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(8000, (32768 * samples).tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(number) for number in range(bank.num_frames_ready)])


def scores(session: onnxruntime.InferenceSession, streams: list[Array], output: str = SCORES) -> Array:
    """Of energies of equal lengths, with state carried from chunk to chunk: [streams, 30 ms frames, senones].

    Or what `output` has in place of senones.
    """
    inputs, outputs = session.get_inputs(), [each.name for each in session.get_outputs()]
    state = {
        each.name: np.zeros(
            [len(streams) if isinstance(side, str) else side for side in each.shape],
            np.int64 if each.name == BEFORE else np.float32,
        )
        for each in inputs
        if each.name != ENERGIES
    }
    found = []
    for begin in range(0, len(streams[0]) - CHUNK + 1, CHUNK):
        given = {ENERGIES: np.stack([each[begin : begin + CHUNK] for each in streams]), **state}
        made = dict(zip(outputs, session.run(outputs, given), strict=True))
        found.append(made[output])
        state = {name: made[f"{name}_after"] for name in state}
    return np.concatenate(found, axis=1)


def expected(model: AcousticModel, samples: Array) -> Array:
    network = Network(
        to_onnx(model), NetworkShape(inputs=192, senones=SENONES, look_ahead=AHEAD, kind="lstm"), "here"
    )
    frontend = OnlineFrontend(FRONTEND, SpeakerState(MEAN, LEVEL, FRONTEND))
    scorer = OnlineScorer(network, priors(), SCALES, 3)
    frames = np.concatenate([frontend.accept(samples), frontend.finish()])
    return np.concatenate([*scorer.accept(frames), *scorer.finish()])


@pytest.fixture(scope="module")
def samples() -> Array:
    """Digital silence, speech, silence, and speech that is quieter."""
    found = (each for each in open_speech(CACHE).utterances if 2 < each.duration < 4)
    first, second = (read_audio(each.audio, each.offset, each.duration, 0, 8000) for each in islice(found, 2))
    return np.concatenate([np.zeros(2000, np.float32), first, np.zeros(3000, np.float32), 0.1 * second])


def test_scores_are_the_engines(model: AcousticModel, session: onnxruntime.InferenceSession, samples: Array) -> None:
    ours = expected(model, samples)
    (theirs,) = scores(session, [energies(np.concatenate([samples, np.zeros(2400, np.float32)]))])
    assert (theirs[:AHEAD].argmax(axis=1) == SILENCE_SENONE).all()
    assert (np.sort(theirs[:AHEAD], axis=1)[:, -2] < -1000).all()
    assert (theirs[:AHEAD].max(axis=1) == 0).all()
    # Of the last frames and those that look ahead to them: the signal's end is mirrored here, there it goes on.
    whole = len(ours) - AHEAD - 1
    assert whole > 100
    np.testing.assert_allclose(theirs[AHEAD : AHEAD + whole], ours[:whole], atol=2e-3)
    assert np.median(np.abs(theirs[AHEAD : AHEAD + whole] - ours[:whole])) < 1e-5


def test_streams_in_one_batch_are_as_alone(session: onnxruntime.InferenceSession, samples: Array) -> None:
    whole = energies(samples)
    parts = [whole[:180], whole[90:270]]
    together = scores(session, parts)
    for number, part in enumerate(parts):
        np.testing.assert_allclose(together[number], scores(session, [part])[0], atol=1e-5)


def test_free_silence_comes_before_the_graph_or_is_left_out() -> None:
    arcs = np.array([(5, 1, 0.5, 1), (5, 0, 0.1, 1)], ARC)
    arrays = after_silence((0, np.array([np.inf, 2.0], np.float32), np.array([0, 1]), arcs), 3)
    graph = from_numpy(*arrays)
    assert graph.num_states == 5
    found = {}
    for frames in range(4):
        state, cost = graph.start, 0.0
        for _ in range(frames):
            silent = [arc for arc in arrays[3][arrays[2] == state] if arc["ilabel"] == SILENCE_SENONE + 1]
            if not silent:
                break
            state, cost = int(silent[0]["nextstate"]), cost + float(silent[0]["weight"])
        found[frames] = (state, cost)
    assert found[3] == (0, 0.0)
    past = [arc for arc in arrays[3][arrays[2] == graph.start] if arc["ilabel"] == 0]
    assert [(arc["nextstate"], arc["olabel"], arc["weight"]) for arc in past] == [(0, 0, 0.0)]
    assert after_silence((0, np.array([0.0], np.float32), np.zeros(0, int), np.zeros(0, ARC)), 0)[0] == 1


@pytest.fixture(scope="module")
def run(spoken: Spoken, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run's directory that the command line takes."""
    folder = tmp_path_factory.mktemp("run") / "run"
    shutil.copytree(spoken.recipe.run, folder)
    save_recipe(spoken.recipe.model_copy(update={"run": str(folder)}))
    return str(folder)


@pytest.fixture(scope="module")
def exported(run: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sherpa") / "model"
    assert main(["export", run, "--for", "sherpa-onnx", "-o", str(folder)]) == OK
    return folder


@pytest.fixture(scope="module")
def program(exported: Path) -> dict[str, Any]:
    """What `recognise.py` of the export defines."""
    pytest.importorskip("sherpa_onnx")
    return runpy.run_path(str(exported / PROGRAM))


def test_words_and_times_are_the_engines_but_for_few_utterances(
    spoken: Spoken, exported: Path, program: dict[str, Any]
) -> None:
    made, names = program["recogniser"](exported), program["words_of"](exported)
    rows = [row for row in rows_of(spoken.recipe, "labeled") if row.condition == "clean"]
    equal, ours, theirs = 0, Edits(), Edits()
    for row in islice(rows, 60):
        samples = read_audio(row.audio, row.offset, row.duration, row.channel, RATE)
        (final,) = spoken.engine.recognise(samples, confidences=False)
        words, said = [each.word for each in final.words], (row.text or "").split()
        result = program["recognise"](made, samples, RATE)
        found = [names[number] for number in result.words]
        ours, theirs = ours + count_edits(said, words), theirs + count_edits(said, found)
        equal += words == found
        if words == found and words:
            # The clock of sherpa-onnx has frames of 40 ms, and begins with those of the look-ahead.
            assert 0.75 * result.timestamps[0] - 0.09 == pytest.approx(final.words[0].start, abs=0.061)
    # Of the demo's student all are equal (docs/benchmarks.md); this network has learned for seconds only.
    assert equal >= 48
    assert abs(ours.word_error_rate - theirs.word_error_rate) < 0.05


def test_what_is_no_audio_is_told_in_a_sentence(exported: Path, program: dict[str, Any], tmp_path: Path) -> None:
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"%PDF-1.7\n" + bytes(3000))
    command = [sys.executable, str(exported / PROGRAM), str(paper)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{paper}: libsndfile can't read this audio" in done.stderr
    assert done.stderr.endswith("; convert it to WAV or FLAC\n")
    assert "Traceback" not in done.stderr


def test_an_endpoint_comes_after_three_quarters_of_the_silence_that_is_given(
    spoken: Spoken, exported: Path, program: dict[str, Any]
) -> None:
    rules = {
        "rule1_min_trailing_silence": 60.0,
        "rule2_min_trailing_silence": 1.6,
        "rule3_min_utterance_length": 60.0,
    }
    made = program["recogniser"](exported, enable_endpoint_detection=True, **rules)
    for row in rows_of(spoken.recipe, "labeled"):
        clip = read_audio(row.audio, row.offset, row.duration, row.channel, RATE)
        samples = np.concatenate([clip, np.zeros(4 * RATE, np.float32)])
        (final,) = spoken.engine.recognise(samples, confidences=False)
        if len(final.words) > 2 and final.words[-1].end < row.duration + 0.1:
            break  # the small network hears words in the silence behind others
    stream = made.create_stream()
    for begin in range(0, len(samples), RATE // 100):
        stream.accept_waveform(RATE, samples[begin : begin + RATE // 100])
        while made.is_ready(stream):
            made.decode_stream(stream)
        if made.is_endpoint(stream):
            break
    # Behind 1.2 s of silence, the look-ahead and a chunk.
    assert begin / RATE - final.words[-1].end == pytest.approx(1.35, abs=0.15)


def test_the_files_say_what_sherpa_onnx_has_to_be_told(spoken: Spoken, exported: Path) -> None:
    settings = json.loads((exported / SETTINGS).read_text())
    frontend = spoken.recipe.frontend
    assert (settings["sample_rate"], settings["high_freq"]) == (frontend.sample_rate, frontend.high_hz)
    assert settings["ctc_max_active"] == spoken.recipe.evaluate.max_active
    tokens = (exported / "tokens.txt").read_text().splitlines()
    assert tokens[SILENCE_SENONE] == f"<blk> {SILENCE_SENONE}"
    assert len(tokens) == spoken.engine.network.shape.senones
    assert (exported / "words.txt").read_bytes() == (spoken.folder / "words.txt").read_bytes()


def test_only_an_older_export_is_replaced(
    spoken: Spoken, run: str, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (exported / "model.onnx").read_bytes()
    words = ["export", run, "--for", "sherpa-onnx", "-o"]
    assert main([*words, str(exported)]) == OK
    assert (exported / "model.onnx").read_bytes() == before
    capsys.readouterr()
    assert main([*words, str(spoken.folder)]) == FAILED
    assert "holds other files and no sherpa-onnx.json" in capsys.readouterr().err
