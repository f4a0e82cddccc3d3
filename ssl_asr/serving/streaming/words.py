"""Times and confidences of the words of a stream of senones, as the evaluate stage finds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssl_asr.decoding.scores import FRAME_SECONDS, Float32
from ssl_asr.decoding.word_finder import WordFinder
from ssl_asr.evaluation.confidence import Curve
from ssl_asr.hmm.word_times import WordTime
from ssl_asr.serving.results import Word
from ssl_asr.serving.streaming.utterance_search import Judged, Times


class TimedWords:
    """One for all streams of an engine: it has no state."""

    def __init__(self, finder: WordFinder, curve: Curve) -> None:
        self._finder, self._curve = finder, curve

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The words of ids 1, 2, ..."""
        return self._finder.vocabulary

    def times(self, words: Sequence[str], scores: Float32) -> tuple[WordTime, ...] | None:
        """In frames of `scores` [30 ms frames, senones]; None if no alignment of the words fits them."""
        return self._finder.times(words, scores) if words else ()

    def judge(self, words: Sequence[str], times: Times, scores: Float32, sentences: int) -> Judged:
        """Confidences of words at these times, and the best `sentences`; None and none without a lattice."""
        if not words:
            return [], ()
        posteriors, alternatives = self._finder.judge(words, times, scores, sentences)
        durations = np.array([FRAME_SECONDS * (time.end - time.start) for time in times])
        known = np.array([np.nan if each is None else each for each in posteriors], np.float64)
        confidences = self._curve.confidences(known, durations)
        return [None if np.isnan(each) else round(float(each), 3) for each in confidences], alternatives


def timed(
    words: Sequence[str], times: Times, confidences: Sequence[float | None], first_frame: int
) -> tuple[Word, ...]:
    """Words in seconds of the stream, where `times` count from its frame `first_frame`."""
    return tuple(
        Word(word, seconds(first_frame + time.start), seconds(first_frame + time.end), confidence)
        for word, time, confidence in zip(words, times, confidences, strict=True)
    )


def seconds(frames: int) -> float:
    return round(frames * FRAME_SECONDS, 2)
