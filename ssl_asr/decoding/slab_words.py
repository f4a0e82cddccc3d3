"""Times, posteriors and alternatives of the words of one decoded slab: stored beside it, never made twice."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.decoding.lattice_decoder import LatticeDecoder
from ssl_asr.decoding.scores import Scales, acoustic_scores, log_posteriors
from ssl_asr.decoding.slabs import (
    FRAME_SECONDS,
    Hypothesis,
    Slab,
    System,
    load_system,
    read_result,
    read_rows,
    result_uri,
)
from ssl_asr.decoding.word_lattice import OccupiedLattice, best_sentences, occupy, word_posteriors
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.word_times import word_times
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import filesystem

VERSION = "1"  # raise where equal inputs give other times, posteriors or alternatives
SENTENCES = 10
# The search has no limit of active states. So a search with a beam smaller by this shows first how many paths there
# are; with more arcs a frame than this, its lattice is the one that is used. A beam larger by as much is tried where
# no path is complete.
_STEP = 2.0
_MAX_DENSITY = 40.0
_LATTICE_SHARE = 0.85  # of the search's beam: what is further from the best path is not kept
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RecognisedWord:
    """Seconds from the utterance's start; `posterior` is the lattice's, None where there is no lattice."""

    word: str
    start: float
    duration: float
    posterior: float | None


@dataclass(frozen=True)
class Alternative:
    """A sentence of the lattice with its log probability among all of the lattice's paths."""

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


@dataclass(frozen=True)
class SlabWords:
    """`spent` is seconds of one core."""

    parents: Mapping[str, str]
    spent: float
    utterances: tuple[UtteranceWords, ...]


def lattice_system(system: System, beam: float) -> System:
    """The system under the key of its word results with this beam."""
    return replace(system, key=inputs_key({"hypotheses": system.key, "version": VERSION, "beam": f"{beam:g}"}))


def read_words(system: System, slab: Slab, scales: Scales, beam: float) -> SlabWords | None:
    """The slab's words; None if there are none, or if they were made from other shards."""
    uri = result_uri(lattice_system(system, beam), slab, scales)
    if not filesystem.exists(uri):
        return None
    values = json.loads(filesystem.read_bytes(uri))
    if values["parents"] != dict(slab.parents):
        return None
    return SlabWords(values["parents"], values["spent"], tuple(map(_utterance_words, values["utterances"])))


def _utterance_words(values: dict[str, Any]) -> UtteranceWords:
    words = tuple(RecognisedWord(**each) for each in values["words"])
    alternatives = tuple(Alternative(**each) for each in values["alternatives"])
    return UtteranceWords(**{**values, "words": words, "alternatives": alternatives})


def find_words(system: System, slab: Slab, scales: Scales, beam: float) -> None:
    """Make and keep the words of a slab that was decoded with `scales`; ValueError on a damaged shard."""
    torch.set_num_threads(1)
    decoded = read_result(system, slab, scales)
    assert decoded is not None, "the slab was decoded"
    began = time.process_time()
    finder = _finder(system, beam)
    model, _, log_priors = load_system(system)
    frames = [stack(row.frames) for row in read_rows(system, slab)]
    found = [UtteranceWords(each.id, (), ()) for each in decoded.hypotheses]
    for index, posteriors in log_posteriors(model, frames, system.batch_frames):
        if decoded.hypotheses[index].words:
            scores = acoustic_scores(posteriors, log_priors, scales)
            found[index] = finder.words(decoded.hypotheses[index], scores)
    result = SlabWords(slab.parents, round(time.process_time() - began, 3), tuple(found))
    filesystem.write_bytes(
        result_uri(lattice_system(system, beam), slab, scales), json.dumps(asdict(result)).encode()
    )


class WordFinder:
    """Times by aligning the hypothesis, posteriors and alternatives by a lattice."""

    def __init__(self, graph: DecodingGraph, lexicon: Lexicon, table: npt.NDArray[np.uint16], beam: float) -> None:
        self.lexicon, self.table, self.vocabulary = lexicon, table, graph.words
        self._ids = {word: number for number, word in enumerate(graph.words, 1)}
        beams = (max(beam - _STEP, beam / 2), beam, beam + _STEP)
        self._narrow, self._usual, self._wide = (LatticeDecoder(graph, each, _LATTICE_SHARE * each) for each in beams)

    def words(self, hypothesis: Hypothesis, scores: Float32) -> UtteranceWords:
        """Of a hypothesis with words and its scores [30 ms frames, senones]."""
        try:
            times = word_times(hypothesis.words, self.lexicon, scores, self.table)
        except KeyError as missing:
            raise ValueError(
                f"hmm/lexicon.txt lacks the word {missing} of the graph; run the hmm stage again"
            ) from None
        if times is None:
            return UtteranceWords(hypothesis.id, (), (), error="no alignment of the words fits the frames")
        lattice, narrowed, error = self._lattice(scores)
        ids = [self._ids[word] for word in hypothesis.words]
        posteriors = [None] * len(ids) if lattice is None else word_posteriors(lattice, ids, times)
        words = tuple(
            RecognisedWord(word, _seconds(time.start), _seconds(time.end - time.start), _rounded(posterior))
            for word, time, posterior in zip(hypothesis.words, times, posteriors, strict=True)
        )
        return UtteranceWords(hypothesis.id, words, self._alternatives(lattice), narrowed, error)

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

    def _alternatives(self, lattice: OccupiedLattice | None) -> tuple[Alternative, ...]:
        found = [] if lattice is None else best_sentences(lattice, SENTENCES)
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


@functools.lru_cache(maxsize=8)
def _finder(system: System, beam: float) -> WordFinder:
    _, graph, _ = load_system(system)
    return WordFinder(graph, read_lexicon(system.run), load_senones(system.run).table, beam)
