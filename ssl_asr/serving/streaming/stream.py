"""A stream: audio in pieces of any length, results as soon as they are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from ssl_asr.decoding.scores import FRAME_SECONDS, Float32
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.frontend.silence import SilentBeginning
from ssl_asr.serving.endpoints import Reason
from ssl_asr.serving.results import Final, Partial
from ssl_asr.serving.streaming.scorer import OnlineNetwork

# Samples beyond this are no audio in [-1, 1], however loud.
_LOUDEST = 100.0


class StreamResults(Protocol):
    """From outputs of the network [30 ms frames, outputs] to results, of one talker or of several."""

    @property
    def frames(self) -> int:
        """Of the whole stream, so far."""

    def advance(self, outputs: Float32) -> list[Final]:
        """The results that are final with these outputs."""

    def partial(self, with_times: bool) -> Partial:
        """Of what is under way."""

    def end(self, reason: Reason) -> list[Final]:
        """End what is under way; at least one result, which may have no word."""


class Stream:
    """One channel of audio, of one talker or of a conversation; made by `Engine.stream`, for one thread at a time.

    Results do not depend on how the audio is cut into pieces. At an endpoint the network's state, the energy floor
    and the running mean go on, and only the search begins anew. With endpoints, the memory that a stream takes has
    a bound; without, it grows with the utterance. As long as all audio is digital silence there is no word, whatever
    the network takes it for.
    """

    def __init__(
        self, frontend: OnlineFrontend, network: OnlineNetwork, results: StreamResults, sample_rate: int
    ) -> None:
        self._frontend, self._network, self._results = frontend, network, results
        self._rate = sample_rate
        self._samples, self._is_open = 0, True
        self._silence = SilentBeginning(sample_rate)

    @property
    def speaker(self) -> SpeakerState:
        """For the next stream of this speaker, after this one has finished."""
        return self._frontend.speaker

    @property
    def sample_rate(self) -> int:
        """Of its audio."""
        return self._rate

    @property
    def seconds(self) -> float:
        """Of audio so far."""
        return self._samples / self._rate

    @property
    def decoded_seconds(self) -> float:
        """Of audio that the results so far are about."""
        return FRAME_SECONDS * self._results.frames

    def accept(self, samples: Float32) -> list[Final]:
        """The results of the utterances that end with `samples`, float32 [n] in [-1, 1] at the bundle's rate.

        ValueError if they are anything else; the stream is then as before.
        """
        self._check_open()
        check_samples(samples)
        self._silence.add(samples)
        found = []
        for begin in range(0, len(samples), self._rate):  # by the second: nothing large is made of hours
            found += self._advance(self._network.accept(self._frontend.accept(samples[begin : begin + self._rate])))
        self._samples += len(samples)
        return found

    def partial(self, with_times: bool = False) -> Partial:
        """Of the utterance under way. Times take an alignment: about a thousandth of the utterance's duration."""
        partial = self._results.partial(with_times)
        return replace(partial, words=(), timed=()) if self._silence.reaches(self.decoded_seconds) else partial

    def end_utterance(self) -> list[Final]:
        """End the utterance under way now; the stream goes on."""
        self._check_open()
        return [self._heard(final) for final in self._results.end("asked")]

    def finish(self) -> list[Final]:
        """The last results: the audio has ended. At least one, which may have no word."""
        self._check_open()
        found = self._advance(self._network.accept(self._frontend.finish()))
        found += self._advance(self._network.finish())
        self._is_open = False
        return [*found, *(self._heard(final) for final in self._results.end("end"))]

    def _advance(self, blocks: Iterable[Float32]) -> list[Final]:
        return [self._heard(final) for outputs in blocks for final in self._results.advance(outputs)]

    def _heard(self, final: Final) -> Final:
        return replace(final, words=(), alternatives=()) if self._silence.reaches(final.end) else final

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError("the stream has finished; begin a new one with Engine.stream")


def check_samples(samples: Float32) -> None:
    """ValueError in one sentence unless they are finite float32 [n] that may be audio."""
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
        kind = f"{samples.dtype} {samples.shape}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise ValueError(f"audio is a float32 array [samples] in [-1, 1], not {kind}; convert it first")
    if not np.isfinite(samples).all():
        raise ValueError("the audio holds NaN or infinite samples; drop or repair it")
    if len(samples) and np.abs(samples).max() > _LOUDEST:
        raise ValueError("the audio is not in [-1, 1]; divide 16-bit samples by 32768")
