"""Which phones a text may be said with."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ssl_asr.hmm.transcripts import accepts
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH

# One word begins another, one has the phones of two others, and one has two pronunciations.
LEXICON = Lexicon.from_pairs(
    [
        *(("a", ("AH",)), ("a", ("EY",)), ("cat", ("K", "AE", "T")), ("cats", ("K", "AE", "T", "S"))),
        *(
            ("sat", ("S", "AE", "T")),
            ("attack", ("AH", "T", "AE", "K")),
            ("catsat", ("K", "AE", "T", "S", "AE", "T")),
        ),
    ],
    ENGLISH,
)


def all_ways(words: list[str]) -> set[bytes]:
    """Every choice of pronunciations and silences."""
    found = set()
    for said in itertools.product(*(LEXICON.pronunciations[word] for word in words)):
        for silences in itertools.product(((), ("SIL",)), repeat=len(words) + 1):
            phones = [*silences[0]]
            for each, silence in zip(said, silences[1:], strict=True):
                phones += [*each, *silence]
            found.add(bytes(ENGLISH.ids[phone] for phone in phones))
    return found


@pytest.mark.parametrize("text", ["a", "cats sat", "a cat sat", "cat sat", "catsat a", "a attack cats a"])
def test_phones_are_accepted_that_some_choice_of_pronunciations_and_silences_gives(text):
    generator, words = np.random.default_rng(len(text)), text.split()
    wanted = all_ways(words)
    assert all(accepts(words, LEXICON, phones) for phones in wanted)
    for phones in sorted(wanted):
        other = list(phones)
        place = int(generator.integers(len(other)))
        for changed in (other[:place] + other[place + 1 :], [*other[:place], 0, *other[place:]], other[::-1]):
            assert accepts(words, LEXICON, bytes(changed)) == (bytes(changed) in wanted)
    assert not accepts(words, LEXICON, b"")
