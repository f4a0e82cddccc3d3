"""Turns of an output channel: the words between the marks of turns, with the frames of their emission."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ssl_asr.corpus.mixtures.targets import END, START
from ssl_asr.lang.pieces import Pieces
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.words import EmittedWord, emitted_words


@dataclass(frozen=True)
class SpokenTurn:
    """At least one word on output channel `channel`, the first is 0.

    `started` and `ended` are the 30 ms frames in which `<sot>` before and `<eot>` after the words were emitted, None
    where they were not.
    """

    channel: int
    words: tuple[EmittedWord, ...]
    started: int | None = None
    ended: int | None = None

    @property
    def first(self) -> int:
        """The frame of the turn's first sign."""
        return self.words[0].first if self.started is None else self.started

    @property
    def last(self) -> int:
        """The frame of its last one."""
        return self.words[-1].last if self.ended is None else self.ended


def spoken_turns(hypothesis: Hypothesis, pieces: Pieces, channel: int = 0) -> list[SpokenTurn]:
    """Any symbol parts two turns; between symbols without a word there is no turn."""
    labels, frames = hypothesis.labels, hypothesis.frames

    def frame_of(mark: str, place: int) -> int | None:
        is_there = 0 <= place < len(labels) and pieces.pieces[labels[place]] == mark
        return frames[place] if is_there else None

    found = list[SpokenTurn]()
    for before, after in pairwise([-1, *marks_of(labels, pieces), len(labels)]):
        if words := emitted_words(hypothesis.part(before + 1, after), pieces):
            found.append(SpokenTurn(channel, tuple(words), frame_of(START, before), frame_of(END, after)))
    return found


def marks_of(labels: tuple[int, ...], pieces: Pieces) -> list[int]:
    """The places of symbols."""
    return [place for place, label in enumerate(labels) if label in pieces.symbols]
