"""What the engine says of a stream: partial and final results, in seconds from the stream's begin."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.serving.endpoints import Reason


@dataclass(frozen=True)
class Word:
    """`confidence` is the probability that the word is right; None if it was not asked for or can't be known."""

    word: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Partial:
    """The best words so far of the utterance under way; they may still change. `number` counts utterances from 0.

    `timed` are the same words with times, if these were asked for and could be found.
    """

    number: int
    start: float
    words: tuple[str, ...]
    timed: tuple[Word, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Final:
    """The words of an utterance that is over; `reason` says why it ended.

    `alternatives`, if they were asked for, are the most probable sentences, the best first. It need not be `words`,
    which a search with a wider beam has found. Where a conversation is recognised, an utterance is one talker's turn
    and `output_channel`, from 0, has it: turns of two channels may overlap. It is None everywhere else.
    """

    number: int
    start: float
    end: float
    words: tuple[Word, ...]
    reason: Reason
    alternatives: tuple[Alternative, ...] = ()
    output_channel: int | None = None

    @property
    def text(self) -> str:
        return " ".join(each.word for each in self.words)
