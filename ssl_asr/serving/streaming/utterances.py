"""From the scores of a stream to its utterances: one search after another, each from a cut on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ssl_asr.decoding.decoder import Search
from ssl_asr.decoding.scores import FRAME_SECONDS, Float32
from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.hmm.word_times import WordTime
from ssl_asr.serving.endpoints import LENGTH, SILENCE, Endpoints, Reason
from ssl_asr.serving.results import Final, Partial
from ssl_asr.serving.streaming.cuts import Cut, cut_in_silence, cut_in_speech
from ssl_asr.serving.streaming.words import TimedWords, seconds, timed


class Utterances:
    """The utterance under way, with the scores that are kept for its words' times; and what ended before it.

    Endpoints are looked for after every block of scores. Without `endpoints` there is one utterance. Confidences and
    `alternatives`, so many sentences, take a lattice of each.
    """

    def __init__(
        self,
        search: Search,
        words: TimedWords,
        endpoints: Endpoints | None,
        *,
        confidences: bool = True,
        alternatives: int = 0,
    ) -> None:
        self._search, self._words, self._endpoints = search, words, endpoints
        self._confidences, self._alternatives = confidences, alternatives
        self._number, self._first_frame = 0, 0
        self._blocks: list[Float32] = []

    @property
    def frames(self) -> int:
        """Of the whole stream, so far."""
        return self._first_frame + self._search.frames

    def advance(self, scores: Float32) -> list[Final]:
        """By scores [30 ms frames, senones]; the result of the utterance that has ended, if one has."""
        self._search.advance(scores)
        self._blocks.append(scores)
        reason = None if self._endpoints is None else self._endpoint(self._endpoints)
        return [] if reason is None else [self.end(reason)]

    def partial(self, with_times: bool) -> Partial:
        words, start = self._best_words(ends=False), seconds(self._first_frame)
        times = self._words.times(words, self._scores()) if with_times else None
        found = () if times is None else timed(words, times, [None] * len(words), self._first_frame)
        return Partial(self._number, start, words, found)

    def end(self, reason: Reason) -> Final:
        """The result of the utterance under way; the next one begins at its end."""
        words, scores, first = self._best_words(ends=True), self._scores(), self._first_frame
        times = self._words.times(words, scores)
        cut = _cut(reason, times, len(words), len(scores))
        words, heard = words[: cut.words], scores[: cut.frame]
        confidences: list[float | None] = [None] * len(words)
        alternatives: tuple[Alternative, ...] = ()
        if times is None:
            times = _even_times(len(words), cut.frame)
        elif self._confidences or self._alternatives:
            confidences, alternatives = self._words.judge(words, times[: cut.words], heard, self._alternatives)
        found = timed(words, times[: cut.words], confidences, first)
        final = Final(self._number, seconds(first), seconds(first + cut.frame), found, reason, alternatives)
        self._begin(first + cut.frame, scores[cut.frame :])
        return final

    def _begin(self, first_frame: int, scores: Float32) -> None:
        self._number, self._first_frame = self._number + 1, first_frame
        self._search.begin()
        self._search.advance(scores)
        self._blocks = [scores.copy()]  # else all scores of before would be kept with it

    def _endpoint(self, endpoints: Endpoints) -> Reason | None:
        path = self._search.best_path(ends=False)
        if path is None:
            return LENGTH  # nothing is within the beam any more: only a new search goes on
        spoken = np.flatnonzero(path.senones != SILENCE_SENONE)
        silent = len(path.senones) - (int(spoken[-1]) + 1 if len(spoken) else 0)
        duration, silence = FRAME_SECONDS * len(path.senones), FRAME_SECONDS * silent
        return endpoints.reason(duration, silence, self._search.relative_cost)

    def _best_words(self, ends: bool) -> tuple[str, ...]:
        path = self._search.best_path(ends)
        return () if path is None else tuple(self._words.vocabulary[number - 1] for number in path.words)

    def _scores(self) -> Float32:
        return np.concatenate(self._blocks) if self._blocks else np.zeros((0, 0), np.float32)


def _cut(reason: Reason, times: tuple[WordTime, ...] | None, words: int, frames: int) -> Cut:
    if times is not None and reason == SILENCE:
        return cut_in_silence(times, frames)
    if times is not None and reason == LENGTH:
        return cut_in_speech(times, frames)
    return Cut(words, frames)


def _even_times(words: int, frames: int) -> tuple[WordTime, ...]:
    """Where the frames are too few for the phones of the words."""
    borders = np.linspace(0, frames, words + 1).astype(int).tolist()
    return tuple(WordTime(start, end, start) for start, end in pairwise(borders))
