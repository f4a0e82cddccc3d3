"""Lexicons as people have them."""

from __future__ import annotations

import pytest

from ssl_asr.lang.lexicon_file import GivenLexicon, parse_lexicon


def parsed(text: str) -> GivenLexicon:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return parse_lexicon(lines, "words.txt")


@pytest.mark.parametrize(
    "text",
    [
        "Haus h aʊ s\nStraße ʃ t ʁ aː s ə\nHaus h oː s\n",
        "haus(2) h oː s\nhaus h aʊ s\n",
        "HAUS 0.4 h oː s\nHAUS\t1.0\th aʊ s\nSTRASSE 1 ʃ t ʁ aː s ə\n",
        "haus\t0.1\t0.2\t1.0\t1.13\th oː s\nhaus\t0.99\t0.2\t1.0\t1e-05\th aʊ s #1\n",
    ],
)
def test_columns_of_numbers_are_probabilities(text: str) -> None:
    said = parsed(text).lexicon.pronunciations["haus"]
    assert set(said) == {("h", "aʊ", "s"), ("h", "oː", "s")}
    if "0." in text:
        assert said[0] == ("h", "aʊ", "s")  # the most probable


def test_phones_that_are_numbers_are_phones() -> None:
    found = parsed("deux d 2\nœuf 9 f\nheure 9 R\n").lexicon  # X-SAMPA
    assert found.pronunciations["œuf"] == (("9", "f"),)
    assert found.phones.names == ("SIL", "2", "9", "R", "d", "f")
    assert parsed("a 1\nb 2 3\n").lexicon.pronunciations == {"a": (("1",),), "b": (("2", "3"),)}


def test_what_no_text_can_use_is_counted() -> None:
    found = parsed(
        ";;; a comment\n!SIL SIL\n<UNK> SPN_S\n[noise] NSN\n<s> a\nwi-fi v i f i\n3d t r e d e\nСЛОВО s l o v o\n"
    )
    assert found.lexicon.words == ("слово",)
    assert found.lexicon.phones.names == ("SIL", "l", "o", "s", "v")
    assert found.left_out == {
        "of silence or noise": 3,
        "whose word has digits or signs": 2,
        "of several words, or of none": 1,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("haus h aʊ s\nmaus\n", "words.txt line 2 is the word 'maus' without phones"),
        ("haus 0.5 h aʊ s\nmaus m aʊ s\n", "words.txt line 1 has the number 0.5 where a phone should be"),
        ("<unk> SPN\n", "words.txt has no word with its phones"),
        (
            "".join(f"a{chr(97 + n // 26)}{chr(97 + n % 26)} p{n}\n" for n in range(300)),
            "words.txt: there are 301 ph",
        ),
    ],
)
def test_what_is_no_lexicon_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parsed(text)
