"""Letters as phones."""

from __future__ import annotations

import pytest

from ssl_asr.lang.graphemes import grapheme_phones, graphemes, spelled


@pytest.mark.parametrize(
    ("word", "letters"),
    [
        ("señor", "s e ñ o r"),
        ("l'eau", "l e a u"),
        ("ещё", "е щ ё"),
        ("за\u0301мок", "з а\u0301 м о к"),  # stressed: there is no such letter in Unicode
        ("مَرحبا", "م \u064e ر ح ب ا"),
        ("हिन्दी", "ह \u093f न\u094d द \u0940"),
        ("한국", "\u1112 \u1161 \u11ab \u1100 \u116e \u11a8"),
    ],
)
def test_every_letter_is_a_phone_and_an_accent_is_part_of_its_letter(word: str, letters: str) -> None:
    assert graphemes(word) == tuple(letters.split(" "))


def test_letters_that_no_labeled_text_has() -> None:
    phones = grapheme_phones(["casa", "se"])
    assert phones.names == ("SIL", "a", "c", "e", "s")
    found = spelled(["cesa", "sé", "wes"], phones)
    assert found.pronunciations == {"cesa": (("c", "e", "s", "a"),), "sé": (("s", "e"),)}


def test_a_script_of_more_signs_than_there_may_be_phones_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^hmm\.lexicon=graphemes: there are 301 phones.* hmm\.lexicon=FILE$"):
        grapheme_phones(map(chr, range(0x4E00, 0x4E00 + 300)))
