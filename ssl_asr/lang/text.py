"""The alphabets of transcripts, and how what people write is brought to them.

What a text says is never changed in silence: a character that has neither a form in the alphabet nor no sound at all
is reported, such as a digit, the brackets of <unk> or, in English, an accented letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz")
# Quotation marks, accents and primes that keyboards and editors put in the apostrophe's place.
_APOSTROPHES = frozenset("‘’‛`´ʹʻʼʽ′＇｀")
# Neither seen nor heard: soft hyphen, joiners, marks of direction, variation selectors, byte order mark.
_VANISHING = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
# Marks that carry no sound and separate words: also dashes and quotation marks of every sort, by their categories.
_PUNCTUATION = frozenset('.,!?;:"()¿¡„‚')
_DASHES_AND_QUOTES = frozenset(["Pd", "Pi", "Pf"])
_LETTERS = frozenset(["Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Mn"])  # with the marks on them
# The same of other scripts than Latin. A symbol or digit is in no such set: it stands for a word.
_OTHER_PUNCTUATION = frozenset("،؛؟۔।॥。、・׃՝՞՜։።፣፤፥")
# Letters that say nothing beside their neighbours: the dot of Catalan's l·l, and Arabic's line that widens a word.
_SILENT_LETTERS = str.maketrans("", "", "\u00b7\u0640")
# Stands for a mark between words, in spelling: unlike a space it ends what was written together.
_BREAK = "\n"
# Stands for an unknown character: it separates words too, for it is a space to Python.
_UNKNOWN = "\x1c"
# Words that corpora of the Penn Treebank's kind split off: "do n't", "it 's".
_SPLIT_OFF = re.compile(r"(?<=[a-z]) +(?=(?:n't|'(?:s|m|re|ll|ve|d))(?![a-z']))")
_MOST_NAMED = 12


@dataclass(frozen=True)
class Alphabet:
    """Lower-case letters and the apostrophe: a-z, or with `every_script` all of Unicode with their marks."""

    every_script: bool = False

    @property
    def advice(self) -> str:
        """What a text should hold, and what to do with one that holds something else."""
        if self.every_script:
            return "letters and apostrophe; write numbers and symbols as words, and take out tags such as [noise]"
        return (
            "a-z and apostrophe; spell numbers, symbols and accented letters with these, and take out tags such as "
            "[noise]; for another language than English see hmm.lexicon"
        )

    def normalise(self, text: str) -> str:
        """`text` in lower case: words of letters and inner apostrophes, separated by single spaces; may be empty.

        Letters and marks that Unicode has for the sake of older encodings are taken for what they stand for (NFKC):
        ligatures, full-width letters. What can't be seen vanishes. Hyphens, dashes and characters outside the
        alphabet separate words (see `unknown_characters`).
        """
        spelled = _prepared(text)
        if self.every_script:
            # By the whole text: the last sigma of a Greek word has a form of its own. The dot of Turkish capital I.
            spelled = unicodedata.normalize("NFC", spelled.lower().replace("i\u0307", "i").translate(self._forms))
        else:
            spelled = _SPLIT_OFF.sub("", spelled.translate(self._forms))
        # An apostrophe at a word's edge is a quotation mark far more often than a lost letter.
        words = (word.strip("'") for word in spelled.split())
        return " ".join(word for word in words if word)

    def unknown_characters(self, text: str) -> str:
        """The characters of `text` that have no form in the alphabet and are no punctuation, each once, sorted.

        They are as written, but a letter and its accent are one character.
        """
        forms = self._forms
        return "".join(sorted(each for each in set(_prepared(text)) if forms[ord(each)] == _UNKNOWN))

    def words(self, text: str) -> list[str]:
        """The words of a text that may hold anything: those with unknown characters stay, in lower case."""
        found: list[str] = []
        for is_unknown, group in groupby(text.split(), key=lambda word: bool(self.unknown_characters(word))):
            written = " ".join(group)
            found += (written.lower() if is_unknown else self.normalise(written)).split()
        return found

    @cached_property
    def _forms(self) -> _Forms:
        return _Forms(self)

    def _form(self, character: str) -> str | None:
        """What stands for one character: letters, a space or `_BREAK`, or nothing; None where it is unknown."""
        if character in _APOSTROPHES:
            return "'"
        category, compatible = unicodedata.category(character), character
        # A sign or raised letter stands for more than its compatibility form says: a number sign's is "No".
        is_raised = unicodedata.decomposition(character).startswith(("<super>", "<sub>"))
        if category[0] not in "SN" and not is_raised:
            compatible = unicodedata.normalize("NFKC", character)
        letters = compatible.lower()
        if self._has(letters) and not (self.every_script and is_raised):
            return letters.translate(_SILENT_LETTERS) if self.every_script else letters
        if letters.isspace():
            return " "
        marks = _PUNCTUATION | _OTHER_PUNCTUATION if self.every_script else _PUNCTUATION
        return _BREAK if category in _DASHES_AND_QUOTES or marks.issuperset(letters) else None

    def _has(self, letters: str) -> bool:
        if self.every_script:
            return all(each in "'\u00b7" or unicodedata.category(each) in _LETTERS for each in letters)
        return all(each == "'" or each in _LATIN for each in letters)


A_TO_Z, EVERY_SCRIPT = Alphabet(), Alphabet(every_script=True)


def _prepared(text: str) -> str:
    return unicodedata.normalize("NFC", _VANISHING.sub("", text))


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


class _Forms(dict[int, str]):
    """`Alphabet._form` for `str.translate`, filled as characters come."""

    def __init__(self, alphabet: Alphabet) -> None:
        super().__init__()
        self._alphabet = alphabet

    def __missing__(self, code: int) -> str:
        form = self._alphabet._form(chr(code))
        self[code] = _UNKNOWN if form is None else form
        return self[code]
