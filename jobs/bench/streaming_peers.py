"""Other recognisers on the same live audio as the benchmark streaming."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnxruntime
from pocketsphinx import Decoder

from jobs.bench.recorded import Talk
from ssl_asr.serving.streaming.latency import Latencies, Pace
from ssl_asr.serving.streaming.listening import Heard, in_chunks

_FRAME_SECONDS = 0.01
LOOK_AHEAD_SECONDS = 0.09
HIGH_HZ = 3900.0  # of the demo's filter bank


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


def sherpa_heard(folder: str, spoken: Talk, milliseconds: int, max_active: int) -> Heard:
    """By sherpa-onnx in one thread: `folder` has the same student and graph, as it reads them.

    Its search has a beam of 16 and at most `max_active` states. Its network takes some frames at a time, as ours does
    a block, and looks ahead as far. At endpoints the search begins anew. It has no confidences.
    """
    recogniser = sherpa_recogniser(folder, spoken.rate, max_active)
    stream, pace, latencies = recogniser.create_stream(), Pace(False, time.process_time), Latencies()
    step = _FRAME_SECONDS * int(metadata(folder)["decode_chunk_len"])
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
        latencies.add(max(step * steps - LOOK_AHEAD_SECONDS, 0.0), pace.end())
    return Heard(spoken.seconds, pace.busy, latencies)


def sherpa_recogniser(folder: str, rate: int, max_active: int) -> Any:
    import sherpa_onnx

    made = sherpa_onnx.OnlineRecognizer.from_zipformer2_ctc(
        tokens=f"{folder}/tokens.txt",
        model=f"{folder}/model.onnx",
        ctc_graph=f"{folder}/HCLG.fst",
        ctc_max_active=max_active,
        num_threads=1,
        sample_rate=rate,
        feature_dim=64,
        enable_endpoint_detection=True,
    )
    config = made.config
    config.feat_config.high_freq = HIGH_HZ  # no argument says so
    return type(made.recognizer)(config)


def metadata(folder: str) -> dict[str, str]:
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
    return dict(session.get_modelmeta().custom_metadata_map)


def as_16_bit(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
