"""Times, posteriors and alternatives of recognised words: by aligning the words, and by a lattice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.decoding.lattice_decoder import LatticeDecoder
from ssl_asr.decoding.scores import FRAME_SECONDS, Float32
from ssl_asr.decoding.word_lattice import OccupiedLattice, best_sentences, occupy, word_posteriors
from ssl_asr.hmm.word_times import WordTime, word_times
from ssl_asr.lang.lexicon import Lexicon

SENTENCES = 10
# The search has no limit of active states. So a search with a beam smaller by this shows first how many paths there
# are; with more arcs a frame than this, its lattice is the one that is used. A beam larger by as much is tried where
# no path is complete.
_STEP = 2.0
_MAX_DENSITY = 40.0
_LATTICE_SHARE = 0.85  # of the search's beam: what is further from the best path is not kept


@dataclass(frozen=True)
class RecognisedWord:
    """Seconds from the utterance's start; `posterior` is the lattice's, None where there is no lattice."""

    word: str
    start: float
    duration: float
    posterior: float | None


@dataclass(frozen=True)
class Alternative:
    """A sentence of the lattice; `log_probability` is of all its paths, among all paths of the lattice."""

    text: str
    log_probability: float


@dataclass(frozen=True)
class UtteranceWords:
    """The hypothesis's `words`, none if their times could not be found; and the lattice's best sentences.

    `narrowed` says that the lattice is that of the smaller beam. `error` says why there is no lattice or no time.
    """

    id: str
    words: tuple[RecognisedWord, ...]
    alternatives: tuple[Alternative, ...]
    narrowed: bool = False
    error: str = ""


class WordFinder:
    """Times by aligning the hypothesis, posteriors and alternatives by a lattice."""

    def __init__(self, graph: DecodingGraph, lexicon: Lexicon, table: npt.NDArray[np.uint16], beam: float) -> None:
        self.lexicon, self.table, self.vocabulary = lexicon, table, graph.words
        self._ids = {word: number for number, word in enumerate(graph.words, 1)}
        beams = (max(beam - _STEP, beam / 2), beam, beam + _STEP)
        self._narrow, self._usual, self._wide = (LatticeDecoder(graph, each, _LATTICE_SHARE * each) for each in beams)

    def words(self, utterance: str, words: Sequence[str], scores: Float32) -> UtteranceWords:
        """Of the utterance's recognised words, at least one, and its scores [30 ms frames, senones]."""
        times = self.times(words, scores)
        if times is None:
            return UtteranceWords(utterance, (), (), error="no alignment of the words fits the frames")
        lattice, narrowed, error = self._lattice(scores)
        recognised = tuple(
            RecognisedWord(word, _seconds(time.start), _seconds(time.end - time.start), _rounded(posterior))
            for word, time, posterior in zip(words, times, self._posteriors(lattice, words, times), strict=True)
        )
        return UtteranceWords(utterance, recognised, self._alternatives(lattice, SENTENCES), narrowed, error)

    def times(self, words: Sequence[str], scores: Float32) -> tuple[WordTime, ...] | None:
        """In frames of `scores`; None if no alignment of the words fits them, or if there is no word."""
        try:
            return word_times(words, self.lexicon, scores, self.table)
        except KeyError as missing:
            raise ValueError(
                f"hmm/lexicon.txt lacks the word {missing} of the graph; run the hmm stage again"
            ) from None

    def judge(
        self, words: Sequence[str], times: Sequence[WordTime], scores: Float32, sentences: int = 0
    ) -> tuple[list[float | None], tuple[Alternative, ...]]:
        """By a lattice: posteriors of words at these times, and its best `sentences`.

        None for all words, and no sentence, where no lattice can be made.
        """
        lattice = self._lattice(scores)[0]
        return self._posteriors(lattice, words, times), self._alternatives(lattice, sentences)

    def _posteriors(
        self, lattice: OccupiedLattice | None, words: Sequence[str], times: Sequence[WordTime]
    ) -> list[float | None]:
        if lattice is None:
            return [None] * len(words)
        return [*word_posteriors(lattice, [self._ids[word] for word in words], times)]

    def _lattice(self, scores: Float32) -> tuple[OccupiedLattice | None, bool, str]:
        """(lattice, whether it is the narrow one, why there is none)."""
        try:
            narrow = self._narrow.decode(scores)
            if narrow.density > _MAX_DENSITY:
                return occupy(narrow, scores), True, ""
        except ValueError:
            pass  # no path is complete: a wider beam may have one
        for decoder in (self._usual, self._wide):
            try:
                return occupy(decoder.decode(scores), scores), False, ""
            except ValueError as problem:
                error = str(problem)
        return None, False, error

    def _alternatives(self, lattice: OccupiedLattice | None, most: int) -> tuple[Alternative, ...]:
        found = [] if lattice is None or not most else best_sentences(lattice, most)
        return tuple(
            Alternative(
                " ".join(self.vocabulary[number - 1] for number in each.words), round(each.log_probability, 3)
            )
            for each in found
        )


def _seconds(frames: int) -> float:
    return round(frames * FRAME_SECONDS, 2)


def _rounded(posterior: float | None) -> float | None:
    return None if posterior is None else round(posterior, 4)
