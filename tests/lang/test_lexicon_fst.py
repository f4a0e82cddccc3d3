from __future__ import annotations

import math

import kaldifst
import pytest

from ssl_asr.lang.lexicon_fst import lexicon_fst
from ssl_asr.lang.phones import ENGLISH

WORDS = {"a": 1, "at": 2, "read": 3, "red": 4}
ENTRIES = [("a", ("AE",)), ("at", ("AE", "T")), ("read", ("R", "EH", "D")), ("red", ("R", "EH", "D"))]


def words_of(phones: str, fst) -> tuple[list[int], float]:
    """The likeliest words for `phones` and their cost; no words where the phones are none of the lexicon's."""
    heard = kaldifst.make_linear_acceptor([ENGLISH.ids[phone] + 1 for phone in phones.split()])
    kaldifst.arcsort(fst, "ilabel")
    best = kaldifst.shortest_path(kaldifst.compose(heard, fst))
    if best.start < 0:
        return [], math.inf
    _, _, output, weight = kaldifst.get_linear_symbol_sequence(best)
    return output, weight.value


@pytest.mark.parametrize("phones", ["AE T AE", "SIL AE T AE", "AE T SIL AE SIL"])
def test_silence_is_free_to_come_between_words_and_at_both_ends(phones):
    fst, marks = lexicon_fst(ENTRIES, WORDS, ENGLISH, disambiguate=False)
    assert words_of(phones, fst)[0] == [WORDS["at"], WORDS["a"]]
    assert marks == []


@pytest.mark.parametrize("phones", ["T", "AE SIL SIL AE", "SIL R EH"])
def test_other_phones_are_no_words(phones):
    assert words_of(phones, lexicon_fst(ENTRIES, WORDS, ENGLISH, disambiguate=False)[0]) == ([], math.inf)


def test_silence_costs_its_probability():
    fst, _ = lexicon_fst(ENTRIES, WORDS, ENGLISH, disambiguate=False, silence_probability=0.2)
    assert words_of("AE T", fst)[1] == pytest.approx(-2 * math.log(0.8), abs=1e-5)
    assert words_of("SIL AE T", fst)[1] == pytest.approx(-math.log(0.2) - math.log(0.8), abs=1e-5)


def test_marks_tell_homophones_and_beginnings_of_words_apart():
    fst, marks = lexicon_fst(ENTRIES, WORDS, ENGLISH, disambiguate=True)
    # "#0" of the language model, two marks for words, one after silence; all above the phones.
    assert marks == [len(ENGLISH) + 1 + mark for mark in range(4)]
    kaldifst.add_self_loops(fst, [marks[0]], [len(WORDS) + 1])
    kaldifst.arcsort(fst, "olabel")
    everything = kaldifst.StdVectorFst(fst)
    kaldifst.determinize_star(everything, use_log=True)  # raises where the lexicon is not functional
    assert everything.num_states > 0
