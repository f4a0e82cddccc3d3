"""The recogniser that a bundle makes: no Ray, no torch, one process.

engine = Engine.open("student-bundle")
stream = engine.stream()
for samples in microphone:              # float32 [n] at engine.sample_rate
    for final in stream.accept(samples):
        print(final.text)
    print(stream.partial().text)
print(*(final.text for final in stream.finish()))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from ssl_asr.decoding.scores import Float32
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.lang.language import Language
from ssl_asr.serving.bundle import Bundle, open_bundle
from ssl_asr.serving.description import DESCRIPTION, Description, TransducerDescription
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.network import Network
from ssl_asr.serving.results import Final
from ssl_asr.serving.streaming.scorer import OnlineNetwork
from ssl_asr.serving.streaming.stream import Stream, StreamResults
from ssl_asr.serving.streaming.utterance_search import UtteranceSearch
from ssl_asr.serving.streaming.utterances import Utterances

KALDI_ENDPOINTS = Endpoints()


@dataclass(frozen=True, eq=False)
class Engine(ABC):
    """What all streams share; nothing in it changes, so threads may share it. The search holds the GIL.

    `block` is the number of 30 ms frames that the network takes at a time: few give results sooner, many are faster.
    """

    bundle: Bundle[Description]
    network: Network
    block: int = field(default=3, kw_only=True)

    @classmethod
    def open(cls, folder: str | Path, *, quantised: bool = False, threads: int = 1, block: int = 3) -> Self:
        """Read and check a bundle; `quantised` takes the 8-bit network.

        `threads` are those of the network's matrices; a small network is fastest with one. ValueError in one
        sentence if anything is missing, damaged or not as it should be, or if the bundle is not of this kind.
        """
        if min(threads, block) < 1:
            raise ValueError(f"threads={threads} and block={block} must be at least 1")
        bundle = open_bundle(folder)
        kind = _kind_of(bundle.description)
        if not issubclass(kind, cls):
            raise ValueError(f"{folder} is the bundle of another kind of recogniser; open it with Engine.open")
        engine = kind.read(bundle, quantised=quantised, threads=threads, block=block)
        try:
            engine.stream()
        except (ValueError, MemoryError) as error:
            raise ValueError(
                f"{bundle.path(DESCRIPTION)} describes no usable front end ({error}); export the bundle again"
            ) from None
        return engine

    @classmethod
    @abstractmethod
    def read(cls, bundle: Bundle[Description], *, quantised: bool, threads: int, block: int) -> Self:
        """The engine of a bundle of this kind, its files checked; ValueError as `open`."""

    @abstractmethod
    def _online_network(self) -> OnlineNetwork:
        """Of a stream that begins."""

    @abstractmethod
    def _search(self) -> UtteranceSearch:
        """Of a stream that begins."""

    def _results(self, endpoints: Endpoints | None, *, confidences: bool, alternatives: int) -> StreamResults:
        """Of a stream that begins."""
        return Utterances(self._search(), endpoints, confidences=confidences, alternatives=alternatives)

    @property
    @abstractmethod
    def most_alternatives(self) -> int:
        """How many sentences a search may find."""

    @abstractmethod
    def check_endpoints(self, endpoints: Endpoints | None) -> None:
        """ValueError if the search does not know what their rules ask for."""

    def check_alternatives(self, wanted: int) -> None:
        """ValueError if a user asks for more sentences than there may be."""
        if wanted > self.most_alternatives:
            raise ValueError(
                f"--nbest {wanted} is more than the beam of this transducer, {self.most_alternatives}; give a "
                "smaller number, or raise search.beam in its bundle.json"
            )

    @property
    def language(self) -> Language:
        return self.bundle.language

    @property
    def sample_rate(self) -> int:
        return self.bundle.description.frontend.sample_rate

    def new_speaker(self) -> SpeakerState:
        """A speaker of whom nothing was heard."""
        described = self.bundle.description
        return SpeakerState(np.array(described.prior.mean), described.prior.level, described.frontend)

    def stream(
        self,
        *,
        endpoints: Endpoints | None = KALDI_ENDPOINTS,
        speaker: SpeakerState | None = None,
        confidences: bool = True,
        alternatives: int = 0,
    ) -> Stream:
        """A stream that begins now; without `endpoints` it is one utterance.

        `speaker` is that of a finished stream of the same speaker. Results have that many `alternatives`, at most
        `most_alternatives`. Where a graph is searched, confidences and alternatives take a lattice for every
        utterance. ValueError as `check_endpoints`.
        """
        self.check_endpoints(endpoints)
        speaker = self.new_speaker() if speaker is None else speaker
        return Stream(
            OnlineFrontend(self.bundle.description.frontend, speaker),
            self._online_network(),
            self._results(endpoints, confidences=confidences, alternatives=alternatives),
            self.sample_rate,
        )

    def recognise(
        self, samples: Float32, *, endpoints: Endpoints | None = None, confidences: bool = True
    ) -> list[Final]:
        """All results of a recording, float32 [samples] at the engine's rate."""
        stream = self.stream(endpoints=endpoints, confidences=confidences)
        return [*stream.accept(samples), *stream.finish()]


def _kind_of(described: Description) -> type[Engine]:
    # Each is imported when it is wanted: the other one's packages take time.
    if isinstance(described, TransducerDescription):
        from ssl_asr.serving.transducers.engine import TransducerEngine

        return TransducerEngine
    from ssl_asr.serving.senone_engine import SenoneEngine

    return SenoneEngine
