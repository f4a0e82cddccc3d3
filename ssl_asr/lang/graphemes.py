"""A lexicon of letters: each letter of a word is a phone, whatever the language.

Context-dependent graphemes reach phones on large data, and beat them in English (Le et al., "From senones to
chenones: tied context-dependent graphemes for hybrid speech recognition", ASRU 2019).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ssl_asr.lang.lexicon import Lexicon, Phones
from ssl_asr.lang.phones import PhoneSet

# Unicode's combining classes of marks that change the letter before them: overlays, nuktas, viramas, and from 200 on
# accents, by their place. Others are vowels: those of Indian scripts, of Hebrew and of Arabic.
_OF_LETTERS = (*range(1, 10), *range(200, 256))


def graphemes(word: str) -> Phones:
    """The letters of a normalised word; the apostrophe has no sound. A Korean syllable is two or three letters."""
    found: list[str] = []
    for letter in word:
        if letter == "'":
            continue
        if "\uac00" <= letter <= "\ud7a3":
            found += unicodedata.normalize("NFD", letter)
        elif found and unicodedata.combining(letter) in _OF_LETTERS:
            found[-1] += letter
        else:
            found.append(letter)
    return tuple(found)


def grapheme_phones(words: Iterable[str]) -> PhoneSet:
    """All letters of `words`; ValueError if they are too many, as in Chinese."""
    try:
        return PhoneSet.of(letter for word in words for letter in graphemes(word))
    except ValueError as error:
        raise ValueError(
            f"hmm.lexicon=graphemes: {error}; or give a lexicon of sounds with hmm.lexicon=FILE"
        ) from None


def spelled(words: Iterable[str], phones: PhoneSet) -> Lexicon:
    """Of those of `words` whose letters are among `phones`, or are so without their accents; others are left out."""
    pairs = ((word, tuple(_near(letter, phones) for letter in graphemes(word))) for word in words)
    known = [(word, spoken) for word, spoken in pairs if spoken and all(phone in phones.ids for phone in spoken)]
    return Lexicon.from_pairs(known, phones)


def _near(letter: str, phones: PhoneSet) -> str:
    bare = unicodedata.normalize("NFD", letter)[0]
    return bare if letter not in phones.ids and bare in phones.ids else letter
