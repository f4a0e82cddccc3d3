"""The engine of a transducer's bundle: its encoder runs frame by frame, predictor and joiner label by label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Self

from ssl_asr.lang.pieces import BLANK, Pieces
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.serving.bundle import Bundle, read_numbered
from ssl_asr.serving.description import ENCODER, TOKENS, Description, TransducerDescription
from ssl_asr.serving.endpoints import KALDI, Endpoints
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.network import Network
from ssl_asr.serving.streaming.scorer import OnlineNetwork
from ssl_asr.serving.streaming.stream import StreamResults
from ssl_asr.serving.streaming.utterance_search import UtteranceSearch
from ssl_asr.serving.transducers.networks import ENCODED, StepNetworks
from ssl_asr.serving.transducers.piece_search import PieceSearch
from ssl_asr.serving.transducers.turn_results import TurnResults
from ssl_asr.transducer.channel_search import ChannelSearch


@dataclass(frozen=True, eq=False)
class TransducerEngine(Engine):
    """At an endpoint the encoder's state goes on, and the predictor begins anew.

    A network of several output channels recognises a conversation: its stream gives a result for each turn.
    """

    bundle: Bundle[TransducerDescription]
    steps: StepNetworks
    pieces: Pieces

    @classmethod
    def read(cls, bundle: Bundle[Description], *, quantised: bool, threads: int, block: int) -> Self:
        assert isinstance(bundle.description, TransducerDescription), "the engine is chosen by the description"
        if quantised:
            raise ValueError(
                f"{bundle.folder} is a transducer's bundle, which has no 8-bit network; leave out --int8"
            )
        own = Bundle(bundle.folder, bundle.description)
        shape, place = own.description.network, str(bundle.path(ENCODER))
        encoder = Network(bundle.read(ENCODER), shape, place, threads, ENCODED)
        return cls(own, encoder, StepNetworks.read(own, threads), read_pieces(own), block=block)

    @property
    def most_alternatives(self) -> int:
        return 0 if self._channels > 1 else self.bundle.description.search.beam

    def check_alternatives(self, wanted: int) -> None:
        if wanted and self._channels > 1:
            raise ValueError(
                f"{self.bundle.folder} recognises conversations, which have no other sentences; leave out --nbest"
            )
        super().check_alternatives(wanted)

    def check_endpoints(self, endpoints: Endpoints | None) -> None:
        """Rules with a relative cost never hold: nothing tells a transducer which words end a sentence."""
        rules = () if endpoints is None else endpoints.rules
        if any(math.isfinite(rule.max_relative_cost) and rule not in KALDI for rule in rules):
            raise ValueError(
                f"{self.bundle.folder} is a transducer's bundle, which can't tell where a sentence ends, so rules 2 "
                "and 3 never hold; leave them as they are, and change --rule4-min-trailing-silence"
            )

    def _online_network(self) -> OnlineNetwork:
        return OnlineNetwork(self.network, self.block)

    def _results(self, endpoints: Endpoints | None, *, confidences: bool, alternatives: int) -> StreamResults:
        if self._channels == 1:
            return super()._results(endpoints, confidences=confidences, alternatives=alternatives)
        new_search = partial(ChannelSearch, self.steps, self._settings, self.pieces, self._channels)
        return TurnResults(new_search, self._channels, endpoints, confidences=confidences)

    def _search(self) -> UtteranceSearch:
        return PieceSearch(self.steps, self._settings, self.pieces)

    @property
    def _channels(self) -> int:
        return self.bundle.description.network.channels

    @property
    def _settings(self) -> TransducerSearch:
        limits = self.bundle.description.search
        return TransducerSearch(beam=limits.beam, max_symbols=limits.max_symbols)


def read_pieces(bundle: Bundle[TransducerDescription]) -> Pieces:
    """ValueError where they are not as many as the networks' outputs."""
    pieces, outputs = read_numbered(bundle, TOKENS, BLANK), bundle.description.outputs
    if len(pieces) != outputs:
        raise ValueError(
            f"{bundle.path(TOKENS)} has {len(pieces)} word pieces, the joiner {outputs} outputs; "
            "export the bundle again"
        )
    return Pieces(pieces, frozenset(bundle.description.symbols))
