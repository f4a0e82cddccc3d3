"""Other recognisers on the same live audio as the benchmark streaming."""

from __future__ import annotations

import json
import runpy
import time
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder

from jobs.bench.recorded import Talk
from ssl_asr.serving.exporting.sherpa.export import PROGRAM
from ssl_asr.serving.streaming.latency import Latencies, Pace
from ssl_asr.serving.streaming.listening import Heard, in_chunks

_FRAME_SECONDS = 0.01


def pocketsphinx_heard(spoken: Talk, milliseconds: int) -> Heard:
    """By its English model of 5,000 senones, with its own n-gram and settings, at 16 kHz.

    It has no endpoints of its own, so it is told where each clip ends: at the end of the chunk that has this.
    """
    decoder = Decoder(samprate=spoken.rate, loglevel="FATAL")
    pace, latencies, ends = Pace(False, time.process_time), Latencies(), list(spoken.ends)
    heard, before = 0, 0.0  # samples, and seconds of the utterances that are over
    decoder.start_utt()
    for chunk in in_chunks([spoken.samples], spoken.rate * milliseconds // 1000):
        heard += len(chunk)
        pace.begin(heard / spoken.rate)
        decoder.process_raw(as_16_bit(chunk))
        decoder.hyp()
        if ends and heard >= ends[0]:
            ends.pop(0)
            decoder.end_utt()
            decoder.hyp()
            before = heard / spoken.rate
            decoder.start_utt()
            latencies.add(before, pace.end())
        else:
            latencies.add(before + _FRAME_SECONDS * decoder.n_frames(), pace.end())
    pace.begin(heard / spoken.rate)
    decoder.end_utt()
    pace.end()
    return Heard(spoken.seconds, pace.busy, latencies)


def sherpa_heard(folder: Path, spoken: Talk, milliseconds: int) -> Heard:
    """By sherpa-onnx in one thread: `folder` is what `ssl-asr export --for sherpa-onnx` made of the same student.

    Its beam is as wide as ours, and its network takes three frames at a time too. At endpoints the search begins
    anew. It gives no confidences.
    """
    recogniser = runpy.run_path(str(folder / PROGRAM))["recogniser"](folder, enable_endpoint_detection=True)
    told = json.loads((folder / "sherpa-onnx.json").read_bytes())
    ahead = told["first_frames"] * told["frame_seconds"]
    stream, pace, latencies = recogniser.create_stream(), Pace(False, time.process_time), Latencies()
    heard, steps = 0, 0
    for chunk in in_chunks([spoken.samples], spoken.rate * milliseconds // 1000):
        heard += len(chunk)
        pace.begin(heard / spoken.rate)
        stream.accept_waveform(spoken.rate, chunk)
        while recogniser.is_ready(stream):
            recogniser.decode_stream(stream)
            steps += 1
        recogniser.get_result(stream)
        if recogniser.is_endpoint(stream):
            recogniser.reset(stream)
        latencies.add(max(told["chunk_seconds"] * steps - ahead, 0.0), pace.end())
    return Heard(spoken.seconds, pace.busy, latencies)


def as_16_bit(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
