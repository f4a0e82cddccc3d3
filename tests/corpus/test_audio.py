from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import audio_info, read_audio
from tests.corpus.conftest import Clip


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_formats_give_the_same_speech(tmp_path: Path, clips: list[Clip], ending: str) -> None:
    clip = clips[0]
    file = str(tmp_path / f"clip.{ending}")
    soundfile.write(file, clip.samples, clip.rate)
    info = audio_info(file)
    samples = read_audio(file, 0.0, info.seconds, 0, clip.rate)
    assert samples.dtype == np.float32
    # Lossy coders may pad the ends and change samples, but hardly the envelope.
    assert len(samples) == pytest.approx(len(clip.samples), abs=0.15 * clip.rate)
    frames = min(len(samples), len(clip.samples)) // 800
    envelopes = [np.abs(wave[: frames * 800]).reshape(frames, 800).mean(axis=1) for wave in (samples, clip.samples)]
    best = max(np.corrcoef(np.roll(envelopes[0], shift), envelopes[1])[0, 1] for shift in (-2, -1, 0, 1, 2))
    assert best > (0.999 if ending in ("wav", "flac") else 0.8)


def test_lengths_of_mp3_are_counted_not_estimated(recorded) -> None:
    mp3 = [spoken for spoken in recorded.utterances if spoken.audio.endswith(".mp3")][:20]
    for spoken in mp3:
        assert audio_info(spoken.audio).seconds == pytest.approx(spoken.duration, abs=1e-6)
        assert len(read_audio(spoken.audio, 0.0, spoken.duration, 0, 8000)) == round(spoken.duration * 8000)


def test_stretch_channel_and_rate(tmp_path: Path, clips: list[Clip]) -> None:
    clip = clips[0]
    file = str(tmp_path / "two.wav")
    soundfile.write(file, np.stack([np.zeros_like(clip.samples), clip.samples], axis=1), clip.rate, subtype="FLOAT")
    exact = read_audio(file, 0.5, 1.0, 1, clip.rate)
    np.testing.assert_array_equal(exact, clip.samples[8000:24000])
    assert not read_audio(file, 0.5, 1.0, 0, clip.rate).any()
    halved = read_audio(file, 0.5, 1.0, 1, 8000)
    assert len(halved) == 8000
    back = np.interp(np.arange(16000) / 2, np.arange(8000), halved)
    spectrum_in, spectrum_out = (np.abs(np.fft.rfft(wave))[:2000] for wave in (exact, back))
    assert np.corrcoef(spectrum_in, spectrum_out)[0, 1] > 0.99


def _sentence(file: Path, **asked: float) -> str:
    wanted = {"offset": 0.0, "duration": 1.0, "channel": 0, "sample_rate": 8000} | asked
    with pytest.raises(ValueError, match=file.name) as caught:
        read_audio(str(file), **wanted)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_files_give_one_sentence_that_names_them(tmp_path: Path, clips: list[Clip]) -> None:
    clip = clips[0]
    assert "missing" in _sentence(tmp_path / "absent.wav")
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert "empty" in _sentence(empty)
    text = tmp_path / "text.wav"
    text.write_text("This is no audio at all.\n" * 50)
    assert "convert" in _sentence(text)
    silent = tmp_path / "header.wav"
    soundfile.write(silent, clip.samples[:0], clip.rate)
    assert "truncated" in _sentence(silent)
    short = tmp_path / "short.flac"
    soundfile.write(short, clip.samples, clip.rate)
    assert "only" in _sentence(short, offset=1.0, duration=30.0)
    assert "channel 1" in _sentence(short, channel=1)
    broken = clip.samples.copy()
    broken[1000] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, clip.rate, subtype="FLOAT")
    assert "NaN or infinite" in _sentence(tmp_path / "nan.wav")


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_truncated_file(tmp_path: Path, clips: list[Clip], ending: str) -> None:
    file = tmp_path / f"half.{ending}"
    soundfile.write(file, clips[0].samples, clips[0].rate)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    _sentence(file, duration=len(clips[0].samples) / clips[0].rate)


@pytest.mark.parametrize("rate", [1, 2_000_000])
def test_impossible_rate(tmp_path: Path, clips: list[Clip], rate: int) -> None:
    file = tmp_path / "rate.wav"
    soundfile.write(file, clips[0].samples, clips[0].rate)
    data = bytearray(file.read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    file.write_bytes(bytes(data))
    assert "rate" in _sentence(file)
