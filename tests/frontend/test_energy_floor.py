"""The floor under log energies: independent of loudness and of digital silence, causal, the same in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.frontend.energy_floor import EnergyFloor, level_of
from ssl_asr.frontend.extract import ExtractedUtterance
from ssl_asr.frontend.lfbe import NO_SIGNAL, lfbe
from ssl_asr.frontend.streams import normalise
from ssl_asr.recipe import Frontend, Recipe
from ssl_asr.store.utterance import Utterance
from tests.frontend.conftest import some_utterances

FRONTEND = Frontend(sample_rate=8000, high_hz=3900)
RANGE, MEMORY = 9.0, 12000.0
PRIOR_LEVEL = 20.0
Waveform = npt.NDArray[np.float32]


def floored(waveform: Waveform) -> npt.NDArray[np.float32]:
    return EnergyFloor(PRIOR_LEVEL, RANGE, MEMORY).raise_to(lfbe(waveform, FRONTEND))


@pytest.fixture(scope="module")
def speech(corpus_run: Recipe) -> Waveform:
    """A few recorded utterances of one speaker, one after another."""
    rows = some_utterances(corpus_run, "labeled", 4)
    return np.concatenate([read_audio(row.audio, row.offset, row.duration, row.channel, 8000) for row in rows])


@pytest.mark.parametrize("gain", [0.03, 0.3, 3.0])
def test_a_louder_or_quieter_copy_differs_by_a_constant(speech: Waveform, gain: float) -> None:
    """But for digital silence before the first signal, where no level is known yet."""
    heard = np.cumsum(lfbe(0.03 * speech, FRONTEND).max(axis=1) > NO_SIGNAL) > 10
    difference = floored(gain * speech)[heard] - floored(speech)[heard]
    np.testing.assert_allclose(difference, 2 * np.log(gain), atol=0.1)
    assert np.abs(difference - 2 * np.log(gain)).mean() < 0.01


def test_digital_silence_in_pauses_changes_speech_by_nothing_and_pauses_by_little(speech: Waveform) -> None:
    """A gate, as games and codecs have it, sets to zero what is far below the speech."""
    noisy = speech + 1e-5 * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    pause = np.zeros(8000, np.float32)
    gated = np.concatenate([speech, pause, speech])
    hissing = np.concatenate([noisy, 1e-5 * np.random.default_rng(1).standard_normal(8000).astype(np.float32), noisy])
    spoken = np.cumsum(lfbe(gated, FRONTEND).max(axis=1) > 15) > 0
    difference = np.abs(floored(gated) - floored(hissing))[spoken]
    assert difference.max() < 1
    raw = np.abs(lfbe(gated, FRONTEND) - lfbe(hissing, FRONTEND))[spoken]
    assert raw.max() > 20, "what the floor is for"


def test_a_later_frame_changes_no_earlier_one_and_pieces_make_the_whole() -> None:
    frames = lfbe(np.random.default_rng(3).standard_normal(24000).astype(np.float32) * 0.1, FRONTEND)
    whole = EnergyFloor(PRIOR_LEVEL, RANGE, MEMORY).raise_to(frames)
    louder = frames.copy()
    louder[200:] += 8
    np.testing.assert_array_equal(EnergyFloor(PRIOR_LEVEL, RANGE, MEMORY).raise_to(louder)[:200], whole[:200])
    stream = EnergyFloor(PRIOR_LEVEL, RANGE, MEMORY)
    pieces = [stream.raise_to(piece) for piece in np.split(frames, [0, 1, 57, 58, 200])]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_before_any_signal_silence_lies_below_the_prior_level() -> None:
    silence = floored(np.zeros(8000, np.float32))
    np.testing.assert_allclose(silence, PRIOR_LEVEL - RANGE, atol=1e-5)


def test_silence_alone_has_no_level() -> None:
    with pytest.raises(ValueError, match="digital silence"):
        level_of([lfbe(np.zeros(8000, np.float32), FRONTEND)])


def test_a_speaker_s_features_do_not_depend_on_the_gain_once_the_prior_is_outweighed(
    speech: Waveform, tmp_path: Path
) -> None:
    """Floor and running mean together, over the utterances of a stream."""
    found = []
    for gain in (1.0, 0.05):
        file = tmp_path / f"{gain}.wav"
        soundfile.write(file, gain * speech, 8000, subtype="FLOAT")
        waveform = read_audio(str(file), 0, len(speech) / 8000, 0, 8000)
        rows = [
            ExtractedUtterance(Utterance(str(order), str(file), "ada", order, 1.0), lfbe(waveform, FRONTEND))
            for order in range(12)
        ]
        found.append(normalise(rows, np.full(64, 14.0), PRIOR_LEVEL, FRONTEND)[-1].frames)
    spread = found[0].std()
    assert np.abs(found[0] - found[1]).max() < 0.1 * spread
