"""The searches of a separator's output channels, frame by frame, and the turns that they find."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from ssl_asr.lang.pieces import Pieces
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.transducer.beam import BeamSearch
from ssl_asr.transducer.greedy_steps import GreedySteps
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.spoken_turns import SpokenTurn, marks_of, spoken_turns
from ssl_asr.transducer.steps import Float32, TransducerSteps


class ChannelSearch:
    """Each channel is searched by itself, as `recognise_channels` does; how the frames are cut changes nothing.

    A turn has ended when all sequences that the search keeps agree on it and on the mark behind it: nothing that is
    heard later can change its words.
    """

    def __init__(self, steps: TransducerSteps, settings: TransducerSearch, pieces: Pieces, channels: int = 2) -> None:
        self._pieces = pieces
        self._searches: list[GreedySteps | BeamSearch] = [
            GreedySteps(steps, settings.max_symbols) if settings.beam == 1 else BeamSearch(steps, settings)
            for _ in range(channels)
        ]
        self._ended = [0] * channels  # turns of each channel that were given out

    @property
    def frames(self) -> int:
        """That were searched."""
        return self._searches[0].frames

    def accept(self, encoded_ntj: Float32) -> None:
        """The next frames of all channels [channels, frames, joiner]."""
        for search, encoded_tj in zip(self._searches, encoded_ntj, strict=True):
            search.accept(encoded_tj)

    def hypotheses(self) -> list[Hypothesis]:
        """The best of each channel so far."""
        return [search.hypotheses(1)[0] for search in self._searches]

    def turns(self) -> list[SpokenTurn]:
        """All so far, by their first frame; the last one of each channel may go on."""
        found = [spoken_turns(best, self._pieces, channel) for channel, best in enumerate(self.hypotheses())]
        return _ordered(found)

    def take_ended(self) -> list[SpokenTurn]:
        """Those that have ended since this was asked last, by their first frame."""
        found = []
        for channel, search in enumerate(self._searches):
            kept = search.hypotheses()
            certain = kept[0].part(0, _with_mark(_agreed([each.labels for each in kept]), self._pieces))
            turns = spoken_turns(certain, self._pieces, channel)
            found.append(turns[self._ended[channel] :])
            self._ended[channel] = len(turns)
        return _ordered(found)

    def open_turns(self) -> list[SpokenTurn]:
        """Those that `take_ended` has not given, by their first frame: they may still change."""
        every = zip(self.hypotheses(), self._ended, strict=True)
        return _ordered(
            [spoken_turns(best, self._pieces, channel)[ended:] for channel, (best, ended) in enumerate(every)]
        )

    def silence(self) -> int:
        """How many of the last frames have no label on any channel, perhaps all."""
        return self.frames - max(best.frames[-1] + 1 if best.frames else 0 for best in self.hypotheses())


def split_channels(outputs_tm: Float32, channels: int) -> Float32:
    """[channels, frames, joiner] of outputs whose last dimension has the channels one after another."""
    return np.ascontiguousarray(outputs_tm.reshape(len(outputs_tm), channels, -1).swapaxes(0, 1))


def _ordered(found: Sequence[Sequence[SpokenTurn]]) -> list[SpokenTurn]:
    return sorted((turn for turns in found for turn in turns), key=lambda turn: (turn.first, turn.channel))


def _agreed(sequences: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """What all of them begin with."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(min(sequences), max(sequences), strict=False))
    return tuple(label for label, _ in pairs)


def _with_mark(labels: tuple[int, ...], pieces: Pieces) -> int:
    """How many labels there are up to the last mark, which counts too."""
    marks = marks_of(labels, pieces)
    return marks[-1] + 1 if marks else 0
