"""A language as recognition knows it: how it is written, and what is known beforehand of its phones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.lang.phones import ENGLISH, PhoneSet
from ssl_asr.lang.questions import ENGLISH_QUESTIONS
from ssl_asr.lang.text import A_TO_Z, EVERY_SCRIPT, Alphabet

# Values of `hmm.lexicon`; any other is the place of a file.
ENGLISH_LEXICON, GRAPHEMES = "english", "graphemes"


@dataclass(frozen=True)
class Language:
    """`code` is the name in a bundle, after ISO 639: "en", or "und" for one that is not known.

    `phones` None: those of the run's lexicon. `questions` None: they are found by clustering.
    """

    code: str
    alphabet: Alphabet
    phones: PhoneSet | None = None
    questions: Mapping[str, Sequence[str]] | None = None


AMERICAN_ENGLISH = Language("en", A_TO_Z, ENGLISH, ENGLISH_QUESTIONS)
ANY_LANGUAGE = Language("und", EVERY_SCRIPT)


def language_of(lexicon: str) -> Language:
    """By the recipe's `hmm.lexicon`."""
    return AMERICAN_ENGLISH if lexicon == ENGLISH_LEXICON else ANY_LANGUAGE


def language_named(code: str) -> Language:
    """By the code in a bundle."""
    return AMERICAN_ENGLISH if code == AMERICAN_ENGLISH.code else ANY_LANGUAGE
