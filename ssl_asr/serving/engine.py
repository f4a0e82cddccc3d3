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

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ssl_asr.decoding.decoder import DecodingGraph, Search
from ssl_asr.decoding.scores import Float32, Scales
from ssl_asr.decoding.word_finder import WordFinder
from ssl_asr.evaluation.confidence import Curve
from ssl_asr.frontend.online import OnlineFrontend, SpeakerState
from ssl_asr.lang.language import Language
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.serving.bundle import Bundle, open_bundle
from ssl_asr.serving.description import DESCRIPTION, NETWORK, QUANTISED
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.graph import SenoneTable, read_graph, read_lexicon, read_phones, read_senones, read_words
from ssl_asr.serving.network import Network
from ssl_asr.serving.results import Final
from ssl_asr.serving.streaming.scorer import OnlineScorer
from ssl_asr.serving.streaming.stream import Stream
from ssl_asr.serving.streaming.utterances import Utterances
from ssl_asr.serving.streaming.words import TimedWords

KALDI_ENDPOINTS = Endpoints()


@dataclass(frozen=True, eq=False)
class Engine:
    """What all streams share; nothing in it changes, so threads may share it. The search holds the GIL.

    `block` is the number of 30 ms frames that the network takes at a time: few give results sooner, many are faster.
    """

    bundle: Bundle
    network: Network
    senones: SenoneTable
    lexicon: Lexicon
    graph: DecodingGraph
    block: int = 3

    @classmethod
    def open(cls, folder: str | Path, *, quantised: bool = False, threads: int = 1, block: int = 3) -> Engine:
        """Read and check a bundle; `quantised` takes the 8-bit network.

        `threads` are those of the network's matrices; a small network is fastest with one. ValueError in one
        sentence if anything is missing, damaged or not as it should be.
        """
        if min(threads, block) < 1:
            raise ValueError(f"threads={threads} and block={block} must be at least 1")
        bundle = open_bundle(folder)
        name = QUANTISED if quantised else NETWORK
        network = Network(bundle.read(name), bundle.description.network, str(bundle.path(name)), threads)
        vocabulary, phones = read_words(bundle), read_phones(bundle)
        senones, lexicon = read_senones(bundle, phones), read_lexicon(bundle, vocabulary, phones)
        engine = cls(bundle, network, senones, lexicon, read_graph(bundle, vocabulary), block)
        try:
            engine.stream()
        except (ValueError, MemoryError) as error:
            raise ValueError(
                f"{bundle.path(DESCRIPTION)} describes no usable front end ({error}); export the bundle again"
            ) from None
        return engine

    @property
    def language(self) -> Language:
        return self.bundle.language

    @property
    def sample_rate(self) -> int:
        return self.bundle.description.frontend.sample_rate

    @property
    def scales(self) -> Scales:
        scoring = self.bundle.description.scoring
        return Scales(scoring.acoustic_scale, scoring.prior_scale)

    @cached_property
    def words(self) -> TimedWords:
        described = self.bundle.description
        finder = WordFinder(self.graph, self.lexicon, self.senones.table, described.search.lattice_beam)
        return TimedWords(finder, Curve(**described.confidence.model_dump()))

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

        `speaker` is that of a finished stream of the same speaker. Results have that many `alternatives`, at most 10.
        Confidences and alternatives take a lattice for every utterance.
        """
        described = self.bundle.description
        search = Search(self.graph, described.search.beam, described.search.max_active)
        return Stream(
            OnlineFrontend(described.frontend, self.new_speaker() if speaker is None else speaker),
            OnlineScorer(self.network, self.senones.log_priors, self.scales, self.block),
            Utterances(search, self.words, endpoints, confidences=confidences, alternatives=alternatives),
            self.sample_rate,
        )

    def recognise(
        self, samples: Float32, *, endpoints: Endpoints | None = None, confidences: bool = True
    ) -> list[Final]:
        """All results of a recording, float32 [samples] at the engine's rate."""
        stream = self.stream(endpoints=endpoints, confidences=confidences)
        return [*stream.accept(samples), *stream.finish()]
