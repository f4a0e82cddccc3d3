import gc

import numpy as np
import pytest

from ssl_asr.decoding.decoder import Decoder, DecodingGraph, Search
from ssl_asr.decoding.graph import build_graph
from ssl_asr.lang.fst_arrays import from_numpy
from ssl_asr.lang.ngram import estimate_arpa

HEARD = "SIL EY K AE T S AE T SIL"


def test_the_graph_lives_as_long_as_its_decoder(toy):
    """The C++ search keeps a bare pointer: a decoder whose graph nobody else holds must not crash."""

    def make() -> Decoder:
        arrays = build_graph(toy.vocabulary, toy.lexicon, estimate_arpa(toy.text, 3), toy.table)
        return Decoder(DecodingGraph(from_numpy(*arrays), toy.vocabulary.words, 1), beam=30, max_active=10_000)

    decoder = make()
    gc.collect()
    overwritten = [np.ones(1_000_000) for _ in range(5)]
    assert decoder.decode(toy.posteriors(HEARD)) == ["a", "cat", "sat"]
    assert len(overwritten) == 5


def test_one_decoder_decodes_any_number_of_utterances_each_as_if_first(toy):
    decoder = Decoder(toy.graph, beam=30, max_active=10_000)
    first, second = toy.posteriors(HEARD), toy.posteriors("S AY")
    said = [decoder.decode(scores) for scores in (first, second, first, second)]
    assert said == [["a", "cat", "sat"], ["silent"]] * 2


def test_the_best_path_is_always_that_of_the_frames_so_far(toy):
    """It is kept until the next frame: what was asked for before may not matter."""
    scores, search = toy.posteriors(HEARD), Search(toy.graph, 30, 10_000)
    for frame in range(len(scores)):
        search.advance(scores[frame : frame + 1])
        fresh = Search(toy.graph, 30, 10_000)
        fresh.advance(scores[: frame + 1])
        for ends in (False, True, False):
            found, expected = search.best_path(ends), fresh.best_path(ends)
            assert (found.words, found.cost) == (expected.words, expected.cost)
            assert found.senones.tolist() == expected.senones.tolist()
            assert len(found.senones) == frame + 1
        assert search.relative_cost() == fresh.relative_cost()
    search.begin()
    assert search.best_path(ends=False).words == ()


def test_no_frame_gives_no_word(toy):
    assert Decoder(toy.graph, 30, 1000).decode(np.empty((0, toy.graph.max_label), np.float32)) == []


def test_too_short_for_any_word_gives_a_hypothesis_without_failing(toy):
    assert isinstance(Decoder(toy.graph, 30, 1000).decode(toy.posteriors("SIL", 1)), list)


def test_scores_of_another_senone_set_are_refused_before_the_search_reads_past_them(toy):
    with pytest.raises(ValueError, match="senone set"):
        Decoder(toy.graph, 30, 1000).decode(np.zeros((5, toy.graph.max_label - 1), np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(toy, bad):
    scores = toy.posteriors(HEARD)
    scores[3, 7] = bad
    with pytest.raises(ValueError, match="not finite"):
        Decoder(toy.graph, 30, 1000).decode(scores)
