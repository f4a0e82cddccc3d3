from __future__ import annotations

import pytest

from ssl_asr.hmm.dictionary import looked_up
from ssl_asr.lang import g2p
from ssl_asr.lang.g2p import pronounce
from ssl_asr.lang.lexicon import Lexicon, cmudict, read_lexicon
from ssl_asr.lang.phones import ENGLISH, SILENCE
from tests.conftest import CACHE

G2P_WORDS = 2000


def test_cmudict_has_variants_and_only_known_phones():
    dictionary = cmudict()
    assert len(dictionary.words) > 120_000
    assert {("DH", "AH"), ("DH", "IY")} <= set(dictionary.pronunciations["the"])
    used = {phone for word in dictionary.words for phones in dictionary.pronunciations[word] for phone in phones}
    assert used == set(ENGLISH.names) - {SILENCE}


def test_text_round_trip_keeps_variants_in_order():
    lexicon = Lexicon.from_pairs([("the", ("DH", "IY")), ("a", ("AH",)), ("the", ("DH", "AH"))], ENGLISH)
    assert Lexicon.from_text(lexicon.to_text(), ENGLISH) == lexicon
    assert lexicon.pronunciations["the"] == (("DH", "IY"), ("DH", "AH"))


@pytest.mark.parametrize("line", ["word", "word W ER1 D", "word SIL"])
def test_a_line_without_known_phones_is_named(line):
    with pytest.raises(ValueError, match=f"mine, line 2: '{line}'"):
        Lexicon.from_text(f"a AH\n{line}\n", ENGLISH, "mine")


def test_a_missing_lexicon_names_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"hmm/lexicon\.txt cannot be read"):
        read_lexicon(str(tmp_path))


def test_words_outside_cmudict_are_pronounced_as_they_are_spelled():
    lexicon = looked_up(["the", "flimbot", "zorgak"], cmudict(), G2P_WORDS, CACHE)
    assert lexicon.words == ("flimbot", "the", "zorgak")
    [phones] = lexicon.pronunciations["flimbot"]
    assert phones[0] == "F"
    assert phones[-1] == "T"
    assert {"L", "M", "B"} <= set(phones)


def test_a_words_pronunciations_do_not_depend_on_the_other_words():
    """Nothing but the lexicon is made anew where other words come in."""
    words = ["the", "flimbot", "zorgak", "read"]
    alone = [looked_up([word], cmudict(), G2P_WORDS, CACHE).pronunciations for word in words]
    together = looked_up(reversed(words), cmudict(), G2P_WORDS, CACHE).pronunciations
    assert together == {word: found[word] for word, found in zip(words, alone, strict=True)}


def test_without_g2p_words_outside_cmudict_have_no_pronunciation():
    lexicon = looked_up(["the", "flimbot"], cmudict(), 0, CACHE)
    assert lexicon.unknown(["flimbot", "the", "flimbot"]) == ["flimbot"]


def test_the_model_is_trained_once_for_a_cache(tmp_path, monkeypatch):
    first = pronounce(["flimbot"], cmudict(), 300, str(tmp_path))
    monkeypatch.setattr(g2p, "_train", lambda lexicon: pytest.fail("trained again"))
    assert pronounce(["flimbot"], cmudict(), 300, str(tmp_path)) == first
    assert len(list(tmp_path.iterdir())) == 1


def test_a_machine_without_the_programs_gets_a_mend(tmp_path, monkeypatch):
    monkeypatch.setattr("phonetisaurus.guess_environment", lambda: {"PATH": str(tmp_path)})
    with pytest.raises(ValueError, match=r"set hmm\.g2p_words=0"):
        pronounce(["flimbot"], cmudict(), 10, str(tmp_path))
