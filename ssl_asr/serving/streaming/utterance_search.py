"""What the utterances of a stream ask of a search, whatever it searches: senones in a graph, or word pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ssl_asr.decoding.scores import Float32
from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.hmm.word_times import WordTime

Times = Sequence[WordTime]
Judged = tuple[list[float | None], tuple[Alternative, ...]]


class UtteranceSearch(Protocol):
    """One utterance at a time, from outputs of the network [30 ms frames, outputs] in pieces of any length.

    Times count from the utterance's first frame.
    """

    @property
    def frames(self) -> int:
        """Of the utterance so far."""

    def begin(self) -> None:
        """Forget all frames: the next utterance."""

    def advance(self, outputs: Float32) -> None:
        """The next frames; ValueError if the outputs are not finite."""

    def words(self, ends: bool) -> tuple[str, ...]:
        """The best so far; with `ends`, as if the last one ends here."""

    def times(self, words: Sequence[str], outputs: Float32) -> tuple[WordTime, ...] | None:
        """Of the words just found, in all `outputs` of the utterance; None if they can't be known."""

    def judge(self, words: Sequence[str], times: Times, outputs: Float32, sentences: int) -> Judged:
        """Confidences of the first `words` of those found, and the best `sentences` of these `outputs`."""

    def silence(self) -> int | None:
        """How many of the last frames are silence, perhaps all; None if nothing can be found any more."""

    def relative_cost(self) -> float:
        """Nats by which ending here is worse than going on; infinity where this can't be known."""
