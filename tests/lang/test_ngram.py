import math

import pytest

from ssl_asr.lang.fst_arrays import to_numpy
from ssl_asr.lang.ngram import Vocabulary, estimate_arpa, grammar_fst, vocabulary_of


def _log10(arpa: str, ngram: str) -> float:
    return next(float(line.split("\t")[0]) for line in arpa.splitlines() if line.split("\t")[1:2] == [ngram])


def test_unigrams_are_in_proportion_to_counts_of_all_words_and_sentence_ends():
    arpa = estimate_arpa(["a b", "a", "", "a a"], order=1)
    of_b = 10 ** _log10(arpa, "b")
    assert 10 ** _log10(arpa, "a") == pytest.approx(4 * of_b, rel=1e-5)
    assert 10 ** _log10(arpa, "</s>") == pytest.approx(3 * of_b, rel=1e-5)


def test_a_bigram_history_shares_its_discount_with_what_it_never_saw():
    arpa = estimate_arpa(["a b", "a b", "a b", "c b", "c d", "a d"], order=2)
    seen = [line.split("\t") for line in arpa.splitlines() if line.split("\t")[1:2] and "\ta " in f"\t{line}"]
    bigrams = [10 ** float(fields[0]) for fields in seen if fields[1].startswith("a ")]
    assert 0 < sum(bigrams) < 1
    back_off = next(line.split("\t")[2] for line in arpa.splitlines() if line.split("\t")[1:2] == ["a"])
    lower = sum(10 ** _log10(arpa, word) for word in ("b", "d"))
    assert sum(bigrams) + 10 ** float(back_off) * (1 - lower) == pytest.approx(1, abs=1e-5)


def test_grammar_costs_are_negative_natural_logarithms_of_the_arpa():
    vocabulary = Vocabulary(("a", "b"))
    arpa = estimate_arpa(["a b", "a", "a a"], order=1)
    _, final, _, arcs = to_numpy(grammar_fst(arpa, vocabulary))
    cost = {int(arc["ilabel"]): float(arc["weight"]) for arc in arcs}
    assert cost[1] == pytest.approx(-math.log(10) * _log10(arpa, "a"), abs=1e-4)
    assert min(final) == pytest.approx(-math.log(10) * _log10(arpa, "</s>"), abs=1e-4)


def test_a_word_without_pronunciation_is_left_out_of_the_grammar_and_takes_no_other_ngram_with_it():
    text = ["a zyx b", "a b", "b a"]
    vocabulary = vocabulary_of(text, {"a": [], "b": [], "c": []})
    assert vocabulary.words == ("a", "b")
    _, _, _, arcs = to_numpy(grammar_fst(estimate_arpa(text, 2), vocabulary))
    assert set(arcs["ilabel"]) == {0, 1, 2, vocabulary.back_off_id} - ({0} - set(arcs["ilabel"]))
    assert len(arcs) > 3


def test_text_without_a_sentence_is_refused_by_name_of_its_file():
    with pytest.raises(ValueError, match=r"corpus/lm_text\.txt"):
        estimate_arpa(["", "  "], 3)
    with pytest.raises(ValueError, match=r"hmm/lexicon\.txt"):
        vocabulary_of(["zyx"], {"a": []})


def test_estimation_is_deterministic_and_silent(capfd):
    text = ["a b c", "b c a", "c a b", "a a"]
    first = estimate_arpa(text, 3)
    grammar_fst(first, Vocabulary(("a", "b", "c")))
    assert first == estimate_arpa(text, 3)
    assert capfd.readouterr().err == ""
