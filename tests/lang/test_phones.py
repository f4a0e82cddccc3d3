"""Sets of phones."""

from __future__ import annotations

import pytest

from ssl_asr.lang.phones import ENGLISH, MOST_PHONES, SILENCE, PhoneSet
from ssl_asr.lang.questions import ENGLISH_QUESTIONS


def test_a_set_is_sorted_behind_silence_and_round_trips():
    phones = PhoneSet.of(["п", "a", "ʃ", "a", SILENCE])
    assert phones.names == (SILENCE, "a", "ʃ", "п")
    assert phones.ids["п"] == 3
    assert PhoneSet.from_text(phones.to_text(), "phones.txt") == phones


def test_phones_of_which_there_are_too_many_or_two_are_refused():
    assert len(PhoneSet.of(map(str, range(MOST_PHONES - 1)))) == MOST_PHONES
    with pytest.raises(ValueError, match="there are 256 phones, and 255 are possible"):
        PhoneSet.of(map(str, range(MOST_PHONES)))
    with pytest.raises(ValueError, match=r"phones\.txt: the phone a is there twice"):
        PhoneSet.from_text("SIL a b a", "phones.txt")
    with pytest.raises(ValueError, match=r"phones\.txt: the first of a set of phones is SIL, not a"):
        PhoneSet.from_text("a SIL", "phones.txt")


def test_questions_are_about_phones_of_the_set():
    assert {phone for members in ENGLISH_QUESTIONS.values() for phone in members} == {*ENGLISH.names} - {SILENCE}
