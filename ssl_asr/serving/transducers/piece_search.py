"""The search of word pieces as a stream uses it: words of the best hypothesis, with the frames of their emission."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ssl_asr.decoding.scores import Float32
from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.hmm.word_times import WordTime
from ssl_asr.lang.pieces import Pieces
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.serving.streaming.utterance_search import Judged, Times
from ssl_asr.transducer.beam import BeamSearch
from ssl_asr.transducer.greedy_steps import GreedySteps
from ssl_asr.transducer.steps import TransducerSteps
from ssl_asr.transducer.words import EmittedWord, emitted_words


class PieceSearch:
    """As `UtteranceSearch`; a beam of 1 is the greedy search.

    A word lasts from the frame of its first piece's emission to that of its last one's, somewhat after it is said.
    Silence is what comes after the last piece. A confidence is the product of its pieces' posteriors. Sentences are
    those of the beam, each with the probability of all its alignments that were searched.
    """

    def __init__(self, steps: TransducerSteps, settings: TransducerSearch, pieces: Pieces) -> None:
        self._steps, self._settings, self._pieces = steps, settings, pieces
        self.begin()

    @property
    def frames(self) -> int:
        return self._search.frames

    def begin(self) -> None:
        self._search: GreedySteps | BeamSearch
        if self._settings.beam == 1:
            self._search = GreedySteps(self._steps, self._settings.max_symbols)
        else:
            self._search = BeamSearch(self._steps, self._settings)
        self._found: list[EmittedWord] | None = []

    def advance(self, outputs: Float32) -> None:
        if not np.isfinite(outputs).all():
            raise ValueError("outputs of the encoder are not finite: the model or its features hold NaN or infinity")
        self._search.accept(outputs)
        self._found = None

    def words(self, ends: bool) -> tuple[str, ...]:
        return tuple(each.word for each in self._emitted())

    def times(self, words: Sequence[str], outputs: Float32) -> tuple[WordTime, ...]:
        """A word ends before the next one, unless both begin in the same frame."""
        emitted = self._emitted()
        following = [*(each.first for each in emitted), self.frames][1:]
        return tuple(
            WordTime(each.first, max(min(each.last + 1, after), each.first + 1), each.first)
            for each, after in zip(emitted, following, strict=True)
        )

    def judge(self, words: Sequence[str], times: Times, outputs: Float32, sentences: int) -> Judged:
        confidences = [round(min(each.confidence, 1.0), 3) for each in self._emitted()[: len(words)]]
        return [*confidences], self._sentences(len(outputs), sentences)

    def silence(self) -> int:
        (best,) = self._search.hypotheses(1)
        return self.frames - (best.frames[-1] + 1 if best.frames else 0)

    def relative_cost(self) -> float:
        return math.inf

    def _emitted(self) -> list[EmittedWord]:
        if self._found is None:
            (best,) = self._search.hypotheses(1)
            self._found = emitted_words(best, self._pieces)
        return self._found

    def _sentences(self, frames: int, most: int) -> tuple[Alternative, ...]:
        """The most probable texts of the first `frames`."""
        found: dict[str, float] = {}
        for each in self._search.hypotheses() if most else []:
            text = self._pieces.decode(each.labels[: int(np.searchsorted(each.frames, frames))])
            found[text] = float(np.logaddexp(found.get(text, -math.inf), each.log_probability))
        best = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
        return tuple(Alternative(text, min(log, 0.0)) for text, log in best)
