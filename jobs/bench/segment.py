"""Hours of long recordings that are cut by voice activity in one hour of one core.

`python -m jobs.bench.segment [--minutes N]` prints a table, then one JSON object as the last line. The recording is
of real clips with pauses between them, as 16-bit FLAC at 16 kHz. Measured are decoding, voice activity and cutting
together; decoding alone; and silero-vad's networks alone, with several windows in a call or windows of 32 recordings,
of which the fastest is the peer. Times are processor times. The median of three rounds is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import soundfile

from jobs.bench.rounds import median_seconds
from ssl_asr.corpus.audio import audio_blocks, read_audio
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.corpus.segment.recordings import speech_segments
from ssl_asr.corpus.segment.voice_activity import SAMPLE_RATE, VoiceActivity, weights

ROUNDS = 3
PAUSES = (0.1, 0.3, 1.0, 3.0)  # seconds
TOGETHER = 32
Samples = npt.NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="of the recording (default: 20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssl-asr-segment-") as folder:
        audio = recording(options.minutes)
        file = str(Path(folder) / "long.flac")
        soundfile.write(file, audio, SAMPLE_RATE, subtype="PCM_16")
        seconds = len(audio) / SAMPLE_RATE
        found = speech_segments(file)
        figures = measure(file, audio)
    kept = 1 - found.left_out_seconds / seconds
    print(f"{seconds / 60:.1f} minutes, {len(found.segments)} segments, {100 * kept:.0f} % of the audio kept")
    print(f"{'hours of audio in an hour of one core':<56}{'x real time':>12}")
    for name, speed in figures.items():
        print(f"{name:<56}{speed:>12.0f}")
    whole, *_, best = figures.values()
    print(json.dumps({"x_real_time": round(whole, 1), "share_of_vad": round(whole / best, 3)}))


def recording(minutes: float) -> Samples:
    """Clips in random order with pauses of low noise between them: [samples] at 16 kHz."""
    cache = os.environ.get("SSL_ASR_CACHE", str(Path(__file__).parents[2] / ".cache"))
    spoken, random = open_speech(cache).utterances, np.random.default_rng(0)
    parts, length = list[Samples](), 0
    while length < minutes * 60 * SAMPLE_RATE:
        clip = spoken[int(random.integers(len(spoken)))]
        pause = 1e-4 * random.standard_normal(int(random.choice(PAUSES) * SAMPLE_RATE))
        parts += [pause.astype(np.float32), read_audio(clip.audio, 0.0, clip.duration, 0, SAMPLE_RATE)]
        length += len(parts[-2]) + len(parts[-1])
    return np.clip(np.concatenate(parts), -1, 1)


def measure(file: str, audio: Samples) -> dict[str, float]:
    """Times real time by what is done; the last is the fastest way to use the network alone."""
    work: dict[str, Callable[[], object]] = {
        "decoding, voice activity and cutting": lambda: speech_segments(file),
        "decoding alone": lambda: sum(map(len, audio_blocks(file, SAMPLE_RATE))),
        "voice activity as used": lambda: VoiceActivity().add(audio),
        **{f"its network, {n} windows in a call": partial(in_calls_of, audio, n) for n in (16, 64, 256, 512)},
        f"its other network, windows of {TOGETHER} recordings in a call": lambda: side_by_side(audio),
    }
    speeds = {name: len(audio) / SAMPLE_RATE / seconds for name, seconds in median_seconds(work, ROUNDS).items()}
    return {**speeds, "the fastest of these networks": max(list(speeds.values())[3:])}


def in_calls_of(audio: Samples, windows: int) -> None:
    session = session_of("silero_vad_16k_sequence.onnx")
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    every = np.lib.stride_tricks.sliding_window_view(audio, 576)[::512]
    for first in range(0, len(every), windows):
        inputs = {"input": np.ascontiguousarray(every[first : first + windows]), "h": hidden, "c": cell}
        _, hidden, cell = session.run(None, inputs)


def side_by_side(audio: Samples) -> None:
    session, state = session_of("silero_vad.onnx"), np.zeros((2, TOGETHER, 128), np.float32)
    several = audio[: len(audio) // TOGETHER // 512 * 512 * TOGETHER].reshape(TOGETHER, -1)
    for first in range(0, several.shape[1] - 575, 512):
        inputs = {"input": several[:, first : first + 576], "state": state, "sr": np.array(SAMPLE_RATE)}
        _, state = session.run(None, inputs)


def session_of(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(weights(name)), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
