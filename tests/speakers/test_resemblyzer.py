"""Resemblyzer's front end against librosa's numbers for recorded speech, its pieces, and the import of weights."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.speakers.resemblyzer import (
    ResemblyzerNetwork,
    embed_speech,
    import_resemblyzer,
    load_resemblyzer,
)
from ssl_asr.speakers.resemblyzer_mel import mel_energies, mel_filters, piece_starts, pieces, raised
from ssl_asr.store.speakers_layout import extractor_uri
from tests.conftest import CACHE

WHEEL = os.environ.get("RESEMBLYZER_WHEEL", "")


@pytest.fixture(scope="module")
def recorded() -> np.ndarray:
    (said,) = [each for each in open_speech(CACHE).utterances if each.id == "drascula-102"]
    return read_audio(said.audio, said.offset, said.duration, said.channel, 16000)


def test_mel_energies_are_those_of_librosa(recorded):
    # librosa 0.11: feature.melspectrogram(y=..., sr=16000, n_fft=400, hop_length=160, n_mels=40).T
    energies = mel_energies(recorded).numpy()
    assert energies.shape == (169, 40)
    assert energies.sum(dtype=np.float64) == pytest.approx(1104.37441, rel=1e-6)
    assert energies[50, ::8] == pytest.approx(
        [1.4765966e-03, 1.5129101e-04, 1.2166654e-05, 2.4172384e-05, 1.3225218e-05], rel=1e-4
    )
    assert energies[120, ::8] == pytest.approx(
        [2.5274621e-03, 5.4512307e-04, 2.1084421e-04, 2.1438061e-04, 1.2150242e-04], rel=1e-4
    )


def test_a_tone_is_in_the_filter_around_it():
    times = np.arange(16000) / 16000
    for hertz in (250, 1000, 4000):
        energies = mel_energies(np.sin(2 * np.pi * hertz * times).astype(np.float32))[50]
        centres = mel_filters() @ torch.linspace(0, 8000, 201) / mel_filters().sum(1)
        assert abs(float(centres[energies.argmax()]) - hertz) < 0.12 * hertz + 40


@pytest.mark.parametrize(
    ("samples", "starts"),
    [  # of Resemblyzer 0.1.4's VoiceEncoder.compute_partial_slices at a rate of 1.3 and a coverage of 0.75
        (200, [0]),
        (25600, [0]),
        (30000, [0]),
        (38080, [0, 77]),
        (48000, [0, 77, 154]),
        (123457, [0, 77, 154, 231, 308, 385, 462, 539, 616]),
    ],
)
def test_pieces_are_those_of_resemblyzer(samples, starts):
    assert piece_starts(samples) == starts
    assert pieces(np.ones(samples, np.float32)).shape == (len(starts), 160, 40)


def test_quiet_speech_is_raised_and_loud_speech_and_silence_are_not():
    quiet, loud = np.full(100, 0.001, np.float32), np.full(100, 0.5, np.float32)
    assert float(np.sqrt(np.mean(raised(quiet) ** 2))) == pytest.approx(10**-1.5)
    assert raised(loud) is loud
    assert not raised(np.zeros(100, np.float32)).any()


@pytest.fixture
def weights(tmp_path) -> tuple[ResemblyzerNetwork, Path]:
    torch.manual_seed(0)
    model = ResemblyzerNetwork()
    more = {"similarity_weight": torch.ones(1), "similarity_bias": torch.ones(1)}
    torch.save({"step": 1, "model_state": {**model.state_dict(), **more}}, tmp_path / "pretrained.pt")
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.write(tmp_path / "pretrained.pt", "resemblyzer/pretrained.pt")
    return model.eval(), tmp_path


@pytest.mark.parametrize("file", ["pretrained.pt", "x.whl"])
def test_weights_are_imported(weights, recorded, file):
    model, folder = weights
    import_resemblyzer(str(folder), "own", str(folder / file))
    again = load_resemblyzer(extractor_uri(str(folder), "own"))
    found = embed_speech(again, recorded)
    assert np.array_equal(found, embed_speech(model, recorded))
    assert float(np.linalg.norm(found)) == pytest.approx(1)


def test_what_has_no_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="pip download resemblyzer"):
        import_resemblyzer(str(tmp_path), "own", str(tmp_path / "none.whl"))
    torch.save({"model_state": {}}, tmp_path / "empty.pt")
    (tmp_path / "broken.whl").write_bytes(b"no archive")
    (tmp_path / "code.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    for name in ("empty.pt", "broken.whl", "code.pt"):
        with pytest.raises(ValueError, match=f"{name} has no weights of Resemblyzer"):
            import_resemblyzer(str(tmp_path), "own", str(tmp_path / name))


@pytest.mark.skipif(not Path(WHEEL).is_file(), reason="RESEMBLYZER_WHEEL names no wheel of Resemblyzer 0.1.4")
def test_embeddings_are_those_of_resemblyzer(recorded, tmp_path):
    import_resemblyzer(str(tmp_path), "own", WHEEL)
    found = embed_speech(load_resemblyzer(extractor_uri(str(tmp_path), "own")), recorded)
    # Its own `embed_utterance`, of speech raised to -30 dBFS, with librosa 0.11.
    expected = [0, 0, 0.173433, 0, 0, 0.039412, 0, 0, 0.106744, 0.146237, 0, 0]
    assert found[:12] == pytest.approx(expected, abs=2e-6)
