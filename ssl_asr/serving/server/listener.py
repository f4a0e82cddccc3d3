"""A session in its worker: bytes of audio in, results out, a piece at a time so that sessions can take turns."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import numpy as np

from ssl_asr.corpus.resampling import Resampler
from ssl_asr.decoding.scores import Float32
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.results import Final
from ssl_asr.serving.server.wire import Audio, Begin, Heard

PIECE_SECONDS = 0.2
_TYPES: dict[str, np.dtype[Any]] = {"int16": np.dtype("<i2"), "float32": np.dtype("<f4")}

# Yields after every piece, and returns the reply.
Turn = Generator[None, None, Heard]


class Listener:
    """One talker's stream at any sample rate."""

    def __init__(self, engine: Engine, begin: Begin, endpoints: Endpoints) -> None:
        self._session, self._type = begin.session, _TYPES[begin.encoding]
        self._stream = engine.stream(
            endpoints=endpoints, confidences=begin.confidences, alternatives=begin.alternatives
        )
        self._resampler = Resampler(begin.sample_rate, engine.sample_rate)
        self._piece = round(PIECE_SECONDS * begin.sample_rate)

    def hear(self, request: Audio) -> Turn:
        """ValueError in one sentence if the bytes are no such audio."""
        samples, finals, busy = self._samples(request.data), list[Final](), 0.0
        for begin in range(0, len(samples), self._piece):
            began = time.perf_counter()
            finals += self._stream.accept(self._resampler.add(samples[begin : begin + self._piece]))
            busy += time.perf_counter() - began
            yield
        return self._reply(finals, busy, request.with_times)

    def end_utterance(self) -> Turn:
        began = time.perf_counter()
        finals = self._stream.end_utterance()
        yield
        return self._reply(finals, time.perf_counter() - began)

    def finish(self) -> Turn:
        began = time.perf_counter()
        finals = self._stream.accept(self._resampler.finish())
        finals += self._stream.finish()
        yield
        return self._reply(finals, time.perf_counter() - began)

    def _samples(self, data: bytes) -> Float32:
        if len(data) % self._type.itemsize:
            raise ValueError(
                f"{len(data)} bytes are no whole number of {self._type.name} samples; send little-endian mono audio"
            )
        samples = np.frombuffer(data, self._type)
        if self._type.kind == "i":
            return samples.astype(np.float32) / np.float32(32768)
        return samples.astype(np.float32)  # a copy, in the machine's order of bytes

    def _reply(self, finals: list[Final], busy: float, with_times: bool = False) -> Heard:
        partial = self._stream.partial(with_times)
        return Heard(self._session, tuple(finals), partial, self._stream.decoded_seconds, busy)
