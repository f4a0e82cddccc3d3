import pytest

from ssl_asr.lang.text import A_TO_Z, EVERY_SCRIPT, named


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("You couldn't pilot -- your way out!", "you couldn't pilot your way out"),
        ("IT’S  ‘fine’,\tno?", "it's fine no"),
        ("Call-Forward… 'em", "call forward em"),
        ("", ""),
        ("...'", ""),
        ("naïve 3 times", "na ve times"),
        # Apostrophes that are modifier letters, full-width or primes.
        ("donʼt don＇t don′t don´t don`t don‛t", "don't don't don't don't don't don't"),
        # Soft hyphen, zero width space, byte order mark, left-to-right mark.
        ("an under\u00adstanding of hello\u200b world\ufeff here\u200e", "an understanding of hello world here"),
        ("the ﬁrst ofﬁce，ｈｅｌｌｏ ｗaſh", "the first office hello wash"),
        ("„yes“ ‚no‘ ›so‹ 「」 ¿why?", "yes no so why"),
        ("wait—what‑ever twenty-one\u2028mother\u00a0in\u3000law", "wait what ever twenty one mother in law"),
        # As the Penn Treebank splits words; but no letters in quotation marks, or after a full stop.
        ("I do n't think it 's John 's , she ’d 've", "i don't think it's john's she'd've"),
        ("the letters 's' and ‘d’, the U.S.A.'s", "the letters s and d the u s a s"),
        ("'tis the dogs' 'cause rock 'n' roll 'em", "tis the dogs cause rock n roll em"),
    ],
)
def test_normalise(written: str, spoken: str) -> None:
    assert A_TO_Z.normalise(written) == spoken
    assert A_TO_Z.normalise(spoken) == spoken


def test_unknown_characters_are_named_and_punctuation_is_not() -> None:
    assert A_TO_Z.unknown_characters("naïve? 3 × 3, <unk>!") == "3<>×ï"
    assert A_TO_Z.unknown_characters("It's “fine” — really (no, really)…") == ""


@pytest.mark.parametrize(
    ("written", "unknown"),
    [
        ("cafe\u0301 café İstanbul straße", "ßéİ"),  # not the accent or the dot alone
        ("m² wide, № five, Henry Ⅷ, Coke™, ½ ª ″", "ª²½″№™Ⅷ"),  # they stand for words, not for the letters in them
        ("<unk> %HESITATION th[ink]- {breath} *x* ~ a_b a|b a/b &amp; $ 5°", "$%&*/5<>[]_{|}~°"),
    ],
)
def test_what_would_change_the_words_is_unknown(written: str, unknown: str) -> None:
    assert A_TO_Z.unknown_characters(written) == unknown


def test_a_character_that_cannot_be_told_by_looking_is_named_by_its_number() -> None:
    assert named("5<é×🙂") == "5 < é × 🙂"
    assert named("е\u0301") == "е U+0435 (CYRILLIC SMALL LETTER IE) U+0301 (COMBINING ACUTE ACCENT)"
    assert named("\x07\ue000") == "U+0007 (a character without a name) U+E000 (a character without a name)"
    assert A_TO_Z.unknown_characters("hеllo\x07") == "\x07е"
    assert named("abcdefghijklmnop").endswith(" l and 4 more")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("¿Dónde está l’ALMA — «Señor»?", "dónde está l'alma señor"),
        ("Cafe\u0301 straße STRASSE Ǆ ﬁn", "café straße strasse dž fin"),
        ("ЁЛКА, за\u0301мок; И\u0306од", "ёлка за\u0301мок йод"),
        ("ΟΔΟΣ. Ὀδός", "οδος ὀδός"),
        ("İSTANBUL col·lecció", "istanbul collecció"),
        ("مرحبا، كيف \u202bحالك\u202c؟ ســلام ﷲ ﻻ", "مرحبا كيف حالك سلام الله لا"),
        ("שלום־עולם! हिन्दी। 한국어", "שלום עולם हिन्दी 한국어"),
        ("Hello мир: mixed سلام", "hello мир mixed سلام"),
        ("ca n't", "ca n't"),  # only English is split like that
    ],
)
def test_any_language(written: str, spoken: str) -> None:
    assert EVERY_SCRIPT.unknown_characters(written) == ""
    assert EVERY_SCRIPT.normalise(written) == spoken
    assert EVERY_SCRIPT.normalise(spoken) == spoken


def test_digits_and_symbols_of_any_script_are_unknown() -> None:
    assert set(EVERY_SCRIPT.unknown_characters("№5 ٣ १ m² <unk> 50% a_b € ª 🙂 Ⅷ")) == set("№5٣१²<>%0_€ª🙂Ⅷ")


def test_a_word_with_digits_stays_beside_words_that_are_normalised() -> None:
    assert EVERY_SCRIPT.words("Ёлка-2 d’ÉTÉ wi-fi") == ["ёлка-2", "d'été", "wi", "fi"]
