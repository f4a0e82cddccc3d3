"""Word times on paths that are known: silences belong to no word, and every way to say a word is understood."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.word_times import WordTime, word_times
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH
from tests.hmm.test_triphone_graph import LEXICON, TABLE, codes_of


def scores_of(phones: str, lengths: list[int]) -> np.ndarray:
    path = np.repeat(codes_of(phones), lengths)
    return np.where(path[:, None] == np.arange(TABLE.size), np.float32(50), np.float32(0))


def test_words_between_silences():
    scores = scores_of("SIL S IY SIL DH AH SIL", [2, 1, 3, 4, 2, 2, 1])
    assert word_times(["see", "the"], LEXICON, scores, TABLE) == (WordTime(2, 6, 0), WordTime(10, 14, 6))


def test_words_without_a_pause_begin_where_the_word_before_ends():
    scores = scores_of("DH IY S IY", [1, 2, 3, 1])
    assert word_times(["the", "see"], LEXICON, scores, TABLE) == (WordTime(0, 3, 0), WordTime(3, 7, 1))


def test_a_pronunciation_that_begins_another_takes_its_own_phones():
    lexicon = Lexicon.from_pairs(
        [("a", ("AH",)), ("a", ("AH", "N")), ("not", ("N", "AA", "T")), ("ought", ("AA", "T"))], ENGLISH
    )
    scores = scores_of("AH N AA T", [1, 1, 1, 1])
    assert word_times(["a", "not"], lexicon, scores, TABLE) == (WordTime(0, 1, 0), WordTime(1, 4, 0))
    assert word_times(["a", "ought"], lexicon, scores, TABLE) == (WordTime(0, 2, 0), WordTime(2, 4, 1))


def test_too_few_frames_no_words_and_unknown_words():
    scores = np.zeros((3, TABLE.size), np.float32)
    assert word_times(["see", "the"], LEXICON, scores, TABLE) is None
    assert word_times([], LEXICON, scores, TABLE) is None
    with pytest.raises(KeyError):
        word_times(["nobody"], LEXICON, scores, TABLE)
