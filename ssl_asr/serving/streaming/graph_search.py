"""The search of a decoding graph as a stream uses it: words by the best path, times by alignment, and a lattice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssl_asr.decoding.decoder import Search
from ssl_asr.decoding.scores import Float32
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.hmm.word_times import WordTime
from ssl_asr.serving.streaming.utterance_search import Judged, Times
from ssl_asr.serving.streaming.words import TimedWords


class GraphSearch:
    """As `UtteranceSearch`."""

    def __init__(self, search: Search, words: TimedWords) -> None:
        self._search, self._words = search, words

    @property
    def frames(self) -> int:
        return self._search.frames

    def begin(self) -> None:
        self._search.begin()

    def advance(self, outputs: Float32) -> None:
        self._search.advance(outputs)

    def words(self, ends: bool) -> tuple[str, ...]:
        path = self._search.best_path(ends)
        return () if path is None else tuple(self._words.vocabulary[number - 1] for number in path.words)

    def times(self, words: Sequence[str], outputs: Float32) -> tuple[WordTime, ...] | None:
        return self._words.times(words, outputs)

    def judge(self, words: Sequence[str], times: Times, outputs: Float32, sentences: int) -> Judged:
        return self._words.judge(words, times, outputs, sentences)

    def silence(self) -> int | None:
        path = self._search.best_path(ends=False)
        if path is None:
            return None
        spoken = np.flatnonzero(path.senones != SILENCE_SENONE)
        return len(path.senones) - (int(spoken[-1]) + 1 if len(spoken) else 0)

    def relative_cost(self) -> float:
        return self._search.relative_cost()
