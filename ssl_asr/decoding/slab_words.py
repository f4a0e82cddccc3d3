"""Times, posteriors and alternatives of the words of one decoded slab: stored beside it, never made twice."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.decoding.slab_decoding import load_system, read_rows
from ssl_asr.decoding.slabs import Slab, System, read_result, result_uri
from ssl_asr.decoding.word_finder import Alternative, RecognisedWord, UtteranceWords, WordFinder
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import filesystem

VERSION = "4"  # raise where equal inputs give other times, posteriors or alternatives


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
            hypothesis = decoded.hypotheses[index]
            found[index] = finder.words(hypothesis.id, hypothesis.words, scores)
    result = SlabWords(slab.parents, round(time.process_time() - began, 3), tuple(found))
    filesystem.write_bytes(
        result_uri(lattice_system(system, beam), slab, scales), json.dumps(asdict(result)).encode()
    )


@functools.lru_cache(maxsize=8)
def _finder(system: System, beam: float) -> WordFinder:
    _, graph, _ = load_system(system)
    return WordFinder(graph, read_lexicon(system.run), load_senones(system.run).table, beam)
