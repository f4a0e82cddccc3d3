"""The alphabet of transcripts, a-z and apostrophe, and how what people write is brought to it.

What a text says is never changed in silence: a character that has neither a form in the alphabet nor no sound at all
is reported, such as a digit, an accented letter or the brackets of <unk>.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz'")
# Quotation marks, accents and primes that keyboards and editors put in the apostrophe's place.
_APOSTROPHES = frozenset("‘’‛`´ʹʻʼʽ′＇｀")
# Neither seen nor heard: soft hyphen, joiners, marks of direction, variation selectors, byte order mark.
_VANISHING = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
# Marks that carry no sound and separate words: also dashes and quotation marks of every sort, by their categories.
_PUNCTUATION = frozenset('.,!?;:"()¿¡„‚')
_DASHES_AND_QUOTES = frozenset(["Pd", "Pi", "Pf"])
# Stands for a mark between words, in spelling: unlike a space it ends what was written together.
_BREAK = "\n"
# Words that corpora of the Penn Treebank's kind split off: "do n't", "it 's".
_SPLIT_OFF = re.compile(r"(?<=[a-z]) +(?=(?:n't|'(?:s|m|re|ll|ve|d))(?![a-z']))")
_MOST_NAMED = 12


def normalise(text: str) -> str:
    """`text` in lower case, with words of a-z and inner apostrophes, separated by single spaces; may be empty.

    Letters and marks that Unicode has for the sake of older encodings are taken for what they stand for (NFKC):
    ligatures, full-width letters. What can't be seen vanishes. Hyphens, dashes and characters outside the alphabet
    separate words (see `unknown_characters`).
    """
    spelled = unicodedata.normalize("NFC", _VANISHING.sub("", text)).translate(_FORMS)
    # An apostrophe at a word's edge is a quotation mark far more often than a lost letter.
    words = (word.strip("'") for word in _SPLIT_OFF.sub("", spelled).split())
    return " ".join(word for word in words if word)


def unknown_characters(text: str) -> str:
    """The characters of `text` that have no form in the alphabet and are no punctuation, each once, sorted.

    They are as written, but a letter and its accent are one character.
    """
    written = set(unicodedata.normalize("NFC", _VANISHING.sub("", text)))
    return "".join(sorted(character for character in written if _form(character) is None))


def named(characters: Iterable[str]) -> str:
    """The characters for a message: "é 5", or "U+0301 (COMBINING ACUTE ACCENT)" of what isn't seen as what it is."""
    shown = [_named(character) for character in characters]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return " ".join(shown[:_MOST_NAMED]) + more


def _named(character: str) -> str:
    name = unicodedata.name(character, "a character without a name")
    if character.isascii() and character.isprintable():
        return character
    number = f"U+{ord(character):04X} ({name})"
    if unicodedata.category(character)[0] in "CMZ":
        return number
    # A letter of another script may look like one of the alphabet.
    return f"{character} {number}" if character.isalpha() and not name.startswith("LATIN ") else character


@cache
def _form(character: str) -> str | None:
    """What stands for one character: letters of the alphabet, a space or `_BREAK`; None where it is unknown."""
    if character in _APOSTROPHES:
        return "'"
    category, compatible = unicodedata.category(character), character
    # A sign or raised letter stands for more than its compatibility form says: the form of a number sign is "No".
    if category[0] not in "SN" and not unicodedata.decomposition(character).startswith(("<super>", "<sub>")):
        compatible = unicodedata.normalize("NFKC", character)
    letters = compatible.lower()
    if _ALPHABET.issuperset(letters):
        return letters
    if letters.isspace():
        return " "
    return _BREAK if category in _DASHES_AND_QUOTES or _PUNCTUATION.issuperset(letters) else None


class _Forms(dict[int, str]):
    """`_form` for `str.translate`, filled as characters come; unknown ones separate words, as marks do."""

    def __missing__(self, code: int) -> str:
        form = self[code] = _form(chr(code)) or _BREAK
        return form


_FORMS = _Forms()
