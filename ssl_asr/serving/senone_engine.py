"""The engine of a bundle of senones: a network, and a search of the decoding graph of words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from ssl_asr.decoding.decoder import DecodingGraph, Search
from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.word_finder import SENTENCES, WordFinder
from ssl_asr.evaluation.confidence import Curve
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.serving.bundle import Bundle
from ssl_asr.serving.description import NETWORK, QUANTISED, Description, SenoneDescription
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.graph import SenoneTable, read_graph, read_lexicon, read_phones, read_senones, read_words
from ssl_asr.serving.network import Network
from ssl_asr.serving.streaming.graph_search import GraphSearch
from ssl_asr.serving.streaming.scorer import OnlineScorer
from ssl_asr.serving.streaming.utterance_search import UtteranceSearch
from ssl_asr.serving.streaming.words import TimedWords


@dataclass(frozen=True, eq=False)
class SenoneEngine(Engine):
    bundle: Bundle[SenoneDescription]
    senones: SenoneTable
    lexicon: Lexicon
    graph: DecodingGraph

    @classmethod
    def read(cls, bundle: Bundle[Description], *, quantised: bool, threads: int, block: int) -> Self:
        assert isinstance(bundle.description, SenoneDescription), "the engine is chosen by the description"
        of_senones = Bundle(bundle.folder, bundle.description)
        name = QUANTISED if quantised else NETWORK
        network = Network(bundle.read(name), of_senones.description.network, str(bundle.path(name)), threads)
        vocabulary, phones = read_words(bundle), read_phones(bundle)
        senones, lexicon = read_senones(of_senones, phones), read_lexicon(bundle, vocabulary, phones)
        return cls(of_senones, network, senones, lexicon, read_graph(of_senones, vocabulary), block=block)

    @property
    def most_alternatives(self) -> int:
        return SENTENCES

    def check_endpoints(self, endpoints: Endpoints | None) -> None:
        """A graph knows all that rules ask for."""

    @property
    def scales(self) -> Scales:
        scoring = self.bundle.description.scoring
        return Scales(scoring.acoustic_scale, scoring.prior_scale)

    @cached_property
    def words(self) -> TimedWords:
        described = self.bundle.description
        finder = WordFinder(self.graph, self.lexicon, self.senones.table, described.search.lattice_beam)
        return TimedWords(finder, Curve(**described.confidence.model_dump()))

    def _online_network(self) -> OnlineScorer:
        return OnlineScorer(self.network, self.senones.log_priors, self.scales, self.block)

    def _search(self) -> UtteranceSearch:
        limits = self.bundle.description.search
        return GraphSearch(Search(self.graph, limits.beam, limits.max_active), self.words)
