"""A lexicon that a person gives: lines of a word and its phones, as Kaldi and the Montreal Forced Aligner write them.

house h aw s                  Kaldi's lexicon.txt
house 0.9 h aw s              Kaldi's lexiconp.txt, and with three numbers more lexiconp_silprob.txt
house	0.99	0.2	1.0	1.0	h aw s   MFA's; any spaces and tabs are one separator
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ssl_asr.lang.lexicon import Lexicon, Phones
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.lang.text import EVERY_SCRIPT

# What stands for no sound of the language: silence, a noise, a word that nobody knows. Disambiguation symbols too.
_NOT_SPOKEN = re.compile(r"(sil|sp|spn|nsn|<eps>|#\d+)(_[BIES])?", re.IGNORECASE)
_VARIANT = re.compile(r"(?<=.)\(\d+\)$")  # "read(2)", as in cmudict
_NUMBER = re.compile(r"\d*\.?\d+([eE]-?\d+)?")
_DECIMAL = re.compile(r"\d*\.\d+")


@dataclass(frozen=True)
class GivenLexicon:
    """`left_out` counts lines that no text can use, by what they are."""

    lexicon: Lexicon
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class _Line:
    where: str
    word: str
    fields: tuple[str, ...]


def parse_lexicon(lines: Iterable[tuple[int, str]], place: str) -> GivenLexicon:
    """Of numbered lines; ValueError naming the first bad one.

    Words become what texts are normalised to. Of a word's pronunciations the most probable is the first, or without
    probabilities the one that is listed first.
    """
    listed = [_line(number, line, place) for number, line in lines if not line.startswith(";;;")]
    spoken = [each.fields for each in listed if not _NOT_SPOKEN.fullmatch(each.fields[-1])]
    numbers = min(map(_leading_numbers, spoken), default=0)  # columns, in every line
    left_out: Counter[str] = Counter()
    found: list[tuple[float, str, Phones]] = []
    for each in listed:
        phones = _phones(each, numbers)
        if why := _unused(each.word, phones):
            left_out[why] += 1
            continue
        probability = float(each.fields[0]) if numbers else 1.0
        found.append((-probability, EVERY_SCRIPT.normalise(each.word), phones))
    if not found:
        raise ValueError(f"{place} has no word with its phones; give lines such as `house h aw s`")
    found.sort(key=lambda each: each[0])  # stable: without probabilities as listed
    try:
        known = PhoneSet.of(phone for _, _, phones in found for phone in phones)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    return GivenLexicon(Lexicon.from_pairs([(word, phones) for _, word, phones in found], known), dict(left_out))


def _line(number: int, line: str, place: str) -> _Line:
    word, *fields = line.split()
    where = f"{place} line {number}"
    if not fields:
        raise ValueError(f"{where} is the word '{word[:50]}' without phones; add them, or leave the line out")
    return _Line(where, _VARIANT.sub("", word), tuple(fields))


def _leading_numbers(fields: tuple[str, ...]) -> int:
    """How many of the fields but the last are numbers, before one that is none."""
    return next((at for at, each in enumerate(fields[:-1]) if not _NUMBER.fullmatch(each)), len(fields) - 1)


def _phones(line: _Line, numbers: int) -> Phones:
    phones = line.fields[min(numbers, _leading_numbers(line.fields)) :]
    if strange := [phone for phone in phones if _DECIMAL.fullmatch(phone)]:
        raise ValueError(
            f"{line.where} has the number {strange[0]} where a phone should be; give probabilities in all lines, in "
            "the same columns, or in none"
        )
    return tuple(phone for phone in phones if not phone.startswith("#"))


def _unused(word: str, phones: Phones) -> str:
    """Why no text can use the line; empty if one can."""
    if not phones or any(_NOT_SPOKEN.fullmatch(phone) for phone in phones):
        return "of silence or noise"
    if EVERY_SCRIPT.unknown_characters(word):
        return "whose word has digits or signs"
    words = EVERY_SCRIPT.normalise(word).split()
    return "" if len(words) == 1 else "of several words, or of none"
