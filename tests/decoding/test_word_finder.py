"""Words of one utterance: with the lattice of which beam, without one, and without times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssl_asr.decoding import word_finder
from ssl_asr.decoding.lattice_decoder import LatticeDecoder
from ssl_asr.decoding.word_finder import WordFinder

HEARD, SAID = "SIL EY K AE T S AE T SIL", ("a", "cat", "sat")


def finder(toy, beam: float) -> WordFinder:
    return WordFinder(toy.graph, toy.lexicon, toy.table, beam)


def scores(toy, noise: float = 0.0) -> np.ndarray:
    posteriors = toy.posteriors(HEARD)
    return (0.3 * (posteriors + np.random.default_rng(1).normal(0, noise, posteriors.shape))).astype(np.float32)


def test_words_have_times_posteriors_and_alternatives(toy):
    found = finder(toy, 7).words("utt", SAID, scores(toy, 1))
    assert (found.narrowed, found.error) == (False, "")
    assert [each.word for each in found.words] == list(SAID)
    assert [each.start for each in found.words] == pytest.approx([0.09, 0.18, 0.45], abs=0.061)
    assert all(0 < each.posterior <= 1 for each in found.words)
    assert found.alternatives[0].text == "a cat sat"


def test_the_same_of_words_whose_times_are_known(toy):
    heard, mine = scores(toy, 1), finder(toy, 7)
    found = mine.words("utt", SAID, heard)
    posteriors, sentences = mine.judge(SAID, mine.times(SAID, heard), heard, 2)
    assert [round(each, 4) for each in posteriors] == [each.posterior for each in found.words]
    assert sentences == found.alternatives[:2]
    assert mine.judge(SAID, mine.times(SAID, heard), heard)[1] == ()


def test_where_there_are_too_many_paths_the_lattice_is_that_of_the_smaller_beam(toy, monkeypatch):
    heard = scores(toy, 2)
    usual, narrow = (finder(toy, beam).words("utt", SAID, heard) for beam in (9, 7))
    monkeypatch.setattr(word_finder, "_MAX_DENSITY", 1.0)
    found = finder(toy, 9).words("utt", SAID, heard)
    assert found == replace(narrow, narrowed=True)
    assert found != replace(usual, narrowed=True)


@pytest.fixture
def cut(toy) -> tuple[np.ndarray, int]:
    """Scores of an utterance that ends within a word, and the smallest beam in which a path is complete."""
    heard = (toy.posteriors(HEARD)[:20]).astype(np.float32)

    def completes(beam: int) -> bool:
        try:
            LatticeDecoder(toy.graph, beam, beam).decode(heard)
        except ValueError:
            return False
        return True

    return heard, next(beam for beam in range(3, 20) if completes(beam))


def test_where_no_path_is_complete_the_beam_is_larger(toy, cut):
    heard, least = cut
    found = finder(toy, least - 1.5).words("utt", ("a", "cat"), heard)
    assert (found.narrowed, found.error) == (False, "")
    assert None not in {each.posterior for each in found.words}
    assert len(found.alternatives) > 0


def test_an_utterance_without_a_lattice_has_times_alone(toy, cut):
    heard, least = cut
    found = finder(toy, least - 3.5).words("utt", ("a", "cat"), heard)
    assert [(each.word, each.posterior) for each in found.words] == [("a", None), ("cat", None)]
    assert [each.start for each in found.words] == pytest.approx([0.09, 0.18], abs=0.031)
    assert (found.alternatives, found.narrowed) == ((), False)
    assert found.error == "no path within the beam ends with the last frame"


def test_an_utterance_that_its_words_do_not_fit_has_no_word(toy):
    found = finder(toy, 7).words("utt", SAID * 9, scores(toy))
    assert found.words == found.alternatives == ()
    assert found.error == "no alignment of the words fits the frames"


def test_a_word_that_the_lexicon_lacks_is_told(toy):
    with pytest.raises(
        ValueError, match=r"hmm/lexicon\.txt lacks the word 'dog' of the graph; run the hmm stage again"
    ):
        finder(toy, 7).words("utt", ("dog",), scores(toy))
