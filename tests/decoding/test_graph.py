import math

import kaldi_decoder
import kaldifst
import numpy as np
import pytest

from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.graph import build_graph
from ssl_asr.hmm.transitions import STAY_COST
from ssl_asr.lang.fst_arrays import from_numpy, serialise
from ssl_asr.lang.ngram import estimate_arpa, vocabulary_of


def _decoder(toy):
    return Decoder(toy.graph, beam=30, max_active=10_000)


@pytest.mark.parametrize(
    ("phones", "words"),
    [
        ("SIL EY K AE T S AE T SIL", "a cat sat"),
        ("AH K AE T S AE T", "a cat sat"),
        ("SIL K AE T S SIL S AE T T UW SIL AH K AE T", "cats sat to a cat"),
        ("S AY SIL", "silent"),
    ],
)
def test_a_sentence_heard_without_error_is_recognised_exactly(toy, phones, words):
    assert " ".join(_decoder(toy).decode(toy.posteriors(phones))) == words


@pytest.mark.parametrize("frames", [1, 2, 9])
def test_a_phone_lasts_one_frame_or_any_number(toy, frames):
    heard = toy.posteriors("SIL EY K AE T S AE T SIL", frames)
    assert _decoder(toy).decode(heard) == ["a", "cat", "sat"]


def test_the_language_model_tells_homophones_apart(toy):
    decode = _decoder(toy).decode
    assert decode(toy.posteriors("T UW K AE T S S AE T")) == ["two", "cats", "sat"]
    assert decode(toy.posteriors("K AE T S S AE T T UW EY K AE T")) == ["cats", "sat", "to", "a", "cat"]


def test_a_word_without_a_path_becomes_words_that_have_one(toy):
    heard = toy.posteriors("SIL ER SIL")
    assert "unheard" not in toy.vocabulary.words
    assert set(_decoder(toy).decode(heard)) <= set(toy.vocabulary.words)


def test_a_path_costs_its_words_pauses_and_lengths(toy):
    """Without back-off (order 1) nothing else can be on a path, so its cost is known to the last arc."""
    arpa = estimate_arpa(toy.text, 1)
    vocabulary = vocabulary_of(toy.text, toy.lexicon.pronunciations)
    fst = from_numpy(*build_graph(vocabulary, toy.lexicon, arpa, toy.table))
    senones = toy.senones("S AY")
    scores = np.full((5, int(toy.table.max()) + 1), -1000, np.float32)
    scores[np.arange(5), [senones[0]] * 2 + [senones[1]] * 3] = 0
    search = kaldi_decoder.FasterDecoder(fst, kaldi_decoder.FasterDecoderOptions(beam=1e5))
    search.decode(kaldi_decoder.DecodableCtc(scores))
    _, path = search.get_best_path()
    _, labels, words, weight = kaldifst.get_linear_symbol_sequence(path)
    log10 = {line.split("\t")[1]: float(line.split("\t")[0]) for line in arpa.splitlines() if "\t" in line}
    language = -math.log(10) * (log10["silent"] + log10["</s>"])
    no_pause = 2 * math.log(2)
    assert [vocabulary.words[word - 1] for word in words] == ["silent"]
    assert [label - 1 for label in labels] == [senones[0]] * 2 + [senones[1]] * 3
    assert weight.value1 + weight.value2 == pytest.approx(language + no_pause + 3 * STAY_COST, abs=0.02)


def test_equal_inputs_make_equal_bytes(toy):
    arpa = estimate_arpa(toy.text, 3)
    made = [serialise(*build_graph(toy.vocabulary, toy.lexicon, arpa, toy.table)) for _ in range(2)]
    assert made[0] == made[1]
