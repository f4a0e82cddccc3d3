"""Words of a hypothesis, with the frames in which they were emitted and how sure the model was of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.lang.pieces import Pieces
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.transducer.hypothesis import Hypothesis


@dataclass(frozen=True)
class EmittedWord:
    """`first` and `last` are the 30 ms frames, from the utterance's begin, of its first and last piece's emission.

    A transducer emits a piece when it is sure of it, somewhat after it was begun to be said. `confidence` is the
    product of the pieces' posteriors, each after the pieces before it.
    """

    word: str
    first: int
    last: int
    confidence: float

    @property
    def start(self) -> float:
        """In seconds; what a CTM says, and what latencies of word starts are measured by."""
        return round(self.first * FRAME_SECONDS, 2)

    @property
    def end(self) -> float:
        """In seconds: the last piece's frame is heard whole."""
        return round((self.last + 1) * FRAME_SECONDS, 2)


def emitted_words(hypothesis: Hypothesis, pieces: Pieces) -> list[EmittedWord]:
    """They are those of `pieces.decode`."""
    return [
        EmittedWord(
            each.word,
            hypothesis.frames[each.first],
            hypothesis.frames[each.last],
            math.exp(sum(hypothesis.label_log_probabilities[each.first : each.last + 1])),
        )
        for each in pieces.words(hypothesis.labels)
    ]


def stream_times(words: Sequence[EmittedWord], look_ahead: int) -> tuple[float, ...]:
    """When a stream puts out the last piece of each word, in seconds of the audio.

    An output needs `look_ahead` more 30 ms frames than its own to be heard.
    """
    return tuple(round((each.last + 1 + look_ahead) * FRAME_SECONDS, 2) for each in words)
