from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import audio_blocks, audio_info, read_audio
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


def _without_length(mp3: Path) -> None:
    """Takes the frame away that says how long an MP3 of variable rate is."""
    data = mp3.read_bytes()
    assert b"Xing" in data[:64]
    kilobits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[data[2] >> 4]  # of 16 to 24 kHz
    mp3.write_bytes(data[72 * kilobits * 1000 // 16000 + (data[2] >> 1 & 1) :])


def _is_read(file: Path, samples: int) -> None:
    """Whether this many samples at 16 kHz are counted, and read from wherever one begins."""
    info = audio_info(str(file))
    whole = np.concatenate(list(audio_blocks(str(file), 16000, block_frames=10_000)))
    assert len(whole) == pytest.approx(samples, abs=3000)
    assert info.seconds == len(whole) / 16000
    for offset in (0.3, 0.7 * info.seconds, info.seconds - 1.5):
        begin = round(offset * 16000)
        segment = read_audio(str(file), offset, 1.0, 0, 16000)
        np.testing.assert_allclose(segment, whole[begin : begin + 16000], atol=1e-5)
        late = np.concatenate(list(audio_blocks(str(file), 16000, offset=offset)))
        np.testing.assert_allclose(late, whole[begin:], atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_an_mp3_that_does_not_say_how_long_it_is(tmp_path: Path, clips: list[Clip], level: float) -> None:
    """libsndfile guesses the length from the first frame: far too long where it is quiet, too short where loud."""
    begin = level * np.random.default_rng(0).standard_normal(16000)
    samples = np.concatenate([begin, *[clip.samples for clip in clips for _ in range(2)]])
    file = tmp_path / "long.mp3"
    soundfile.write(file, samples, 16000, bitrate_mode="VARIABLE")
    _is_read(file, len(samples))
    _without_length(file)
    _is_read(file, len(samples))
    tagged = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257) + file.read_bytes() + b"TAG" + bytes(125)
    file.write_bytes(tagged)
    _is_read(file, len(samples))


def test_joined_mp3s_are_as_long_as_their_parts(tmp_path: Path, clips: list[Clip]) -> None:
    """The first one says how long it is itself, and libsndfile reads no further."""
    parts = []
    for number, clip in enumerate(clips[:3]):
        soundfile.write(tmp_path / f"{number}.mp3", clip.samples, 16000, bitrate_mode="VARIABLE")
        parts.append((tmp_path / f"{number}.mp3").read_bytes())
    tag = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)
    for between in (b"", tag, b"TAG" + bytes(125) + tag):
        file = tmp_path / "joined.mp3"
        file.write_bytes(between.join(parts))
        assert audio_info(str(file)).seconds == pytest.approx(
            sum(len(clip.samples) for clip in clips[:3]) / 16000, abs=0.4
        )
        _is_read(file, round(audio_info(str(file)).seconds * 16000))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "gsm"])
def test_blocks_are_the_audio(tmp_path: Path, clips: list[Clip], ending: str) -> None:
    clip, file = clips[0], tmp_path / f"clip.{ending}"
    raw = {"format": "RAW", "subtype": "GSM610"} if ending == "gsm" else {}
    soundfile.write(file, clip.samples, 8000 if ending == "gsm" else clip.rate, **raw)
    seconds = audio_info(str(file)).seconds
    whole = read_audio(str(file), 0.0, seconds, 0, 11025)
    blocks = np.concatenate(list(audio_blocks(str(file), 11025, block_frames=777)))
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


def test_blocks_of_bad_files_give_one_sentence(tmp_path: Path, clips: list[Clip]) -> None:
    pdf, cut = tmp_path / "paper.wav", tmp_path / "cut.flac"
    pdf.write_bytes(b"%PDF-1.7\n" + bytes(5000))
    soundfile.write(cut, np.concatenate([clip.samples for clip in clips]), 16000)
    cut.write_bytes(cut.read_bytes()[:60_000])
    for file, said in ((pdf, "libsndfile can't read this audio"), (tmp_path / "none.wav", "missing or unreadable")):
        with pytest.raises(ValueError, match=said):
            list(audio_blocks(str(file), 16000))
    with pytest.raises(ValueError, match=r"cut\.flac"):
        list(audio_blocks(str(cut), 16000))
