"""From what the network says of a stream to its utterances: one search after another, each from a cut on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ssl_asr.decoding.scores import FRAME_SECONDS, Float32
from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.hmm.word_times import WordTime
from ssl_asr.serving.endpoints import LENGTH, SILENCE, Endpoints, Reason
from ssl_asr.serving.results import Final, Partial
from ssl_asr.serving.streaming.cuts import Cut, cut_in_silence, cut_in_speech
from ssl_asr.serving.streaming.utterance_search import UtteranceSearch
from ssl_asr.serving.streaming.words import seconds, timed


class Utterances:
    """The utterance under way, with the network's outputs, kept for its words' times; and what ended before it.

    Endpoints are looked for after every block of outputs. Without `endpoints` there is one utterance. Confidences and
    `alternatives`, so many sentences, take a lattice of each where a graph is searched.
    """

    def __init__(
        self,
        search: UtteranceSearch,
        endpoints: Endpoints | None,
        *,
        confidences: bool = True,
        alternatives: int = 0,
    ) -> None:
        self._search, self._endpoints = search, endpoints
        self._confidences, self._alternatives = confidences, alternatives
        self._number, self._first_frame = 0, 0
        self._blocks: list[Float32] = []

    @property
    def frames(self) -> int:
        """Of the whole stream, so far."""
        return self._first_frame + self._search.frames

    def advance(self, outputs: Float32) -> list[Final]:
        """By outputs [30 ms frames, outputs]; the result of the utterance that has ended, if one has."""
        self._search.advance(outputs)
        self._blocks.append(outputs)
        reason = None if self._endpoints is None else self._endpoint(self._endpoints)
        return [] if reason is None else self.end(reason)

    def partial(self, with_times: bool) -> Partial:
        words, start = self._search.words(ends=False), seconds(self._first_frame)
        times = self._search.times(words, self._outputs()) if with_times else None
        found = () if times is None else timed(words, times, [None] * len(words), self._first_frame)
        return Partial(self._number, start, words, found)

    def end(self, reason: Reason) -> list[Final]:
        """The result of the utterance under way, one; the next one begins at its end."""
        words, outputs, first = self._search.words(ends=True), self._outputs(), self._first_frame
        times = self._search.times(words, outputs)
        cut = _cut(reason, times, len(words), len(outputs))
        words, heard = words[: cut.words], outputs[: cut.frame]
        confidences: list[float | None] = [None] * len(words)
        alternatives: tuple[Alternative, ...] = ()
        if times is None:
            times = _even_times(len(words), cut.frame)
        elif self._confidences or self._alternatives:
            confidences, alternatives = self._search.judge(words, times[: cut.words], heard, self._alternatives)
        found = timed(words, times[: cut.words], confidences, first)
        final = Final(self._number, seconds(first), seconds(first + cut.frame), found, reason, alternatives)
        self._begin(first + cut.frame, outputs[cut.frame :])
        return [final]

    def _begin(self, first_frame: int, outputs: Float32) -> None:
        self._number, self._first_frame = self._number + 1, first_frame
        self._search.begin()
        self._search.advance(outputs)
        self._blocks = [outputs.copy()]  # else all outputs of before would be kept with it

    def _endpoint(self, endpoints: Endpoints) -> Reason | None:
        silent = self._search.silence()
        if silent is None:
            return LENGTH  # nothing is within the beam any more: only a new search goes on
        duration, silence = FRAME_SECONDS * self._search.frames, FRAME_SECONDS * silent
        return endpoints.reason(duration, silence, self._search.relative_cost)

    def _outputs(self) -> Float32:
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
