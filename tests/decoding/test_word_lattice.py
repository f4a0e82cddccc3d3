"""Word posteriors and best sentences, against all paths of small lattices one by one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from ssl_asr.decoding.lattice_decoder import LatticeDecoder
from ssl_asr.decoding.word_lattice import best_sentences, occupy, word_posteriors
from ssl_asr.hmm.word_times import WordTime
from ssl_asr.sequence.best_path import best_path
from tests.sequence.random_lattices import SENONES, paths, random_lattice


def spoken_lattice(seed: int):
    """With up to two words an arc; and (words with their frames, score) of every path."""
    lattice = random_lattice(seed)
    generator = np.random.default_rng(seed)
    words = np.where(
        generator.random((len(lattice.arcs), 2)) < 0.4, generator.integers(1, 4, (len(lattice.arcs), 2)), 0
    )
    words[words[:, 0] == 0] = 0
    lattice = replace(lattice, arcs=replace(lattice.arcs, words=words.astype(np.int32)))
    scores = generator.normal(0, 1, (lattice.num_frames, SENONES))
    by_arc, all_paths = lattice.scores(scores), []
    for places, cost in paths(lattice):
        said = [(frame, int(word)) for frame, place in enumerate(places) for word in words[place] if word]
        all_paths.append((said, by_arc[places].sum() - cost))
    return lattice, scores, all_paths


@pytest.mark.parametrize("seed", range(5))
def test_a_posterior_is_the_probability_of_the_paths_that_say_the_word_there(seed):
    lattice, scores, all_paths = spoken_lattice(seed)
    total = logsumexp([score for _, score in all_paths])
    times = [WordTime(1, 2, 0), WordTime(5, 5, 4)]
    for words, spans in (([1, 2], [(-3, 5), (1, 8)]), ([2, 3], [(-3, 5), (1, 8)]), ([3, 3], [(-3, 2.75), (2.75, 8)])):
        wanted = [
            sum(
                np.exp(score - total) * len({t for t, w in said if w == word and begin <= t < end})
                for said, score in all_paths
            )
            for word, (begin, end) in zip(words, spans, strict=True)
        ]
        found = word_posteriors(occupy(lattice, scores), words, times)
        assert found == pytest.approx([min(1, each) for each in wanted], abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_best_sentences_are_those_of_the_best_paths_with_the_probability_of_all_their_paths(seed):
    lattice, scores, all_paths = spoken_lattice(seed)
    total = logsumexp([score for _, score in all_paths])
    by_sentence: dict[tuple[int, ...], list[float]] = defaultdict(list)
    for said, score in all_paths:
        by_sentence[tuple(word for _, word in said)].append(score - total)
    best = sorted(by_sentence, key=lambda each: -max(by_sentence[each]))
    near = [each for each in best if max(by_sentence[each]) >= max(by_sentence[best[0]]) - 4]
    found = best_sentences(occupy(lattice, scores), 10)
    assert {each.words for each in found} >= {*near[:10]}
    wanted = [logsumexp(by_sentence[each.words]) for each in found]
    assert [each.log_probability for each in found] == pytest.approx(wanted)
    assert wanted == sorted(wanted, reverse=True)
    assert best_sentences(occupy(lattice, scores), 5) == found[:5]
    every = best_sentences(occupy(lattice, np.zeros_like(scores)), 10_000)
    assert sum(np.exp(each.log_probability) for each in every) <= 1 + 1e-9


def test_what_is_said_clearly_has_a_posterior_of_one(toy):
    scores = (0.3 * toy.posteriors("SIL EY K AE T S AE T SIL", sure=0.99)).astype(np.float32)
    lattice = LatticeDecoder(toy.graph, 10, 8).decode(scores)
    found = occupy(lattice, scores)
    ids = [1 + toy.graph.words.index(word) for word in ("a", "cat", "sat")]
    times = [WordTime(3, 6, 0), WordTime(6, 15, 3), WordTime(15, 24, 12)]
    assert min(word_posteriors(found, ids, times)) > 0.9
    assert word_posteriors(found, [1 + toy.graph.words.index("silent")], times[:1]) == [0]
    sentences = best_sentences(found, 10)
    assert list(sentences[0].words) == ids
    assert len({each.words for each in sentences}) == len(sentences)
    first = best_path(lattice, lattice.scores(scores)).score
    assert first - found.log_likelihood < sentences[0].log_probability <= 0
    # A sentence is at most as probable as each of its words.
    said = word_posteriors(found, ids, times)
    assert 0.9 < np.exp(sentences[0].log_probability) <= min(said)
