"""Long recordings made of real clips: what is cut, by any rate, channel and block size."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from ssl_asr.corpus.audio import audio_blocks, read_audio
from ssl_asr.corpus.segment.cutting import Cutting
from ssl_asr.corpus.segment.recordings import cut, speech_segments
from ssl_asr.corpus.segment.voice_activity import VoiceActivity, weights
from tests.corpus.conftest import Clip

RATE = 16000


@pytest.fixture(scope="module")
def long_recording(clips: list[Clip]) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """100 s at 16 kHz: clips in pauses of low noise, some pauses short, some long; and where the clips lie."""
    random = np.random.default_rng(0)
    parts, times, at = [], [], 0
    while at < 100 * RATE:
        pause = 1e-4 * random.standard_normal(int(random.choice([0.1, 0.4, 1.5, 4]) * RATE))
        clip = clips[int(random.integers(len(clips)))].samples
        times.append(((at + len(pause)) / RATE, (at + len(pause) + len(clip)) / RATE))
        parts += [pause, clip]
        at += len(pause) + len(clip)
    return np.concatenate(parts).astype(np.float32), times


def _in_blocks(samples: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    random, at = np.random.default_rng(seed), 0
    while at < len(samples):
        size = int(random.choice([0, 1, 100, 5000, 100_000]))
        yield samples[at : at + size]
        at += size


@pytest.mark.parametrize("rate", [8000, 11025, RATE])
def test_pieces_are_the_same_for_any_blocks(long_recording, rate: int) -> None:
    samples = soxr.resample(long_recording[0][: 60 * RATE], RATE, rate).astype(np.float32)
    whole = list(cut([samples], rate))
    assert len(whole) > 3
    for seed in range(3):
        for one, other in zip(cut(_in_blocks(samples, seed), rate), whole, strict=True):
            assert (one.start, one.end) == (other.start, other.end)
            np.testing.assert_array_equal(one.samples, other.samples)
    for piece in whole:
        begin, end = round(piece.start * rate), round(piece.end * rate)
        np.testing.assert_array_equal(piece.samples, samples[begin:end])


def test_speech_is_kept_and_silence_is_not(long_recording) -> None:
    samples, times = long_recording
    pieces = list(cut([samples], RATE))
    assert all(0.6 <= piece.end - piece.start <= 15 for piece in pieces)
    inside = np.zeros(len(samples), bool)
    for piece in pieces:
        inside[round(piece.start * RATE) : round(piece.end * RATE)] = True
    power = np.square(samples)
    assert power[inside].sum() > 0.998 * power.sum()
    silent = np.ones(len(samples), bool)
    for start, end in times:
        silent[round(start * RATE) : round(end * RATE)] = False
    assert inside[silent].mean() < 0.5


def test_other_rates_and_channels_give_the_same_segments(tmp_path: Path, long_recording) -> None:
    samples = long_recording[0][: 60 * RATE]
    soundfile.write(tmp_path / "one.flac", samples, RATE)
    high = soxr.resample(samples, RATE, 96000)
    eight = np.stack([*[np.zeros_like(high)] * 7, high], axis=1)
    soundfile.write(tmp_path / "eight.wav", eight, 96000)
    one = speech_segments(str(tmp_path / "one.flac"))
    eighth = speech_segments(str(tmp_path / "eight.wav"), channel=7)
    assert one.seconds == pytest.approx(60)
    assert one.left_out_seconds == pytest.approx(60 - sum(end - start for start, end in one.segments))
    np.testing.assert_allclose(one.segments, eighth.segments, atol=0.1)
    first = speech_segments(str(tmp_path / "eight.wav"))
    assert (first.segments, first.left_out_seconds) == ((), pytest.approx(60))
    with pytest.raises(ValueError, match="channel 8 was asked for, but the file has 8 channels, counted from 0"):
        speech_segments(str(tmp_path / "eight.wav"), channel=8)


def test_a_recording_that_is_shorter_than_a_segment_is_one(clips: list[Clip]) -> None:
    word = clips[0].samples[:8000]
    assert [(piece.start, piece.end) for piece in cut([word], RATE)] in ([], [(0.0, 0.5)])
    assert list(cut([np.zeros(160, np.float32)], RATE)) == []
    assert list(cut([], RATE)) == []


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, clips: list[Clip]) -> None:
    speech = np.concatenate([clip.samples for clip in clips])
    peaks = []
    for repeats in (4, 20):
        file = tmp_path / f"{repeats}.wav"
        with soundfile.SoundFile(file, "w", RATE, 2) as stream:
            for _ in range(repeats):
                stream.write(np.stack([speech, speech], axis=1))
        tracemalloc.start()
        longest = max(len(piece.samples) for piece in cut(audio_blocks(str(file), RATE), RATE))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert longest <= 15 * RATE
    assert peaks[1] < 1.2 * peaks[0]


def test_probabilities_are_those_of_the_network_that_takes_one_window(clips: list[Clip]) -> None:
    """silero-vad's own form of use: context, window and state go in, probability and state come out."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(weights("silero_vad.onnx")))
    samples = np.concatenate([clip.samples for clip in clips])
    samples = samples[: len(samples) // 512 * 512]
    state, context, expected = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for window in samples.reshape(-1, 512):
        given = {"input": np.concatenate([context, window])[None], "state": state, "sr": np.array(16000)}
        probability, state = session.run(None, given)
        expected.append(probability[0, 0])
        context = window[-64:]
    voice = VoiceActivity()
    found = np.concatenate([voice.add(samples)[0], voice.finish()[0]])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert 0.3 < (found > 0.5).mean() < 1


def test_blocks_of_a_file_are_its_audio(tmp_path: Path, clips: list[Clip]) -> None:
    file = str(tmp_path / "clip.wav")
    soundfile.write(file, clips[0].samples, RATE)
    for rate in (RATE, 8000):
        blocks = list(audio_blocks(file, rate, offset=0.25, duration=1.0, block_frames=777))
        np.testing.assert_allclose(np.concatenate(blocks), read_audio(file, 0.25, 1.0, 0, rate), atol=1e-5)
    with pytest.raises(ValueError, match="the file is truncated or its times are wrong"):
        list(audio_blocks(file, RATE, duration=100.0))
    with pytest.raises(ValueError, match=r"at most 1 s can't keep"):
        list(cut([], RATE, Cutting(max_seconds=1)))
