"""Times of phones as states of frames."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.phone_times import PhoneTimes, Unusable, joined_silences, known_phone
from ssl_asr.lang.phones import ENGLISH, PhoneSet


def times(text: str, ends: list[int], rest: str = "last") -> PhoneTimes:
    return joined_silences([ENGLISH.ids[phone] for phone in text.split()], ends, rest)


@pytest.mark.parametrize(
    ("symbol", "phone"),
    [
        *(("AA1_B", "AA"), ("AA", "AA"), ("ah0", "AH"), ("NG_E", "NG"), ("S_S", "S"), ("ER2_I", "ER")),
        *(("SIL", "SIL"), ("sil", "SIL"), ("SIL_S", "SIL"), ("NSN", "SIL"), ("sp", "SIL")),
    ],
)
def test_position_and_stress_do_not_count(symbol, phone):
    assert known_phone(symbol, ENGLISH) == ENGLISH.ids[phone]


@pytest.mark.parametrize("symbol", ["AX", "AA3", "ɑ", "#0", "<eps>", "AA_X", "12", ""])
def test_an_unknown_phone_is_refused_in_one_sentence(symbol):
    found = known_phone(symbol, ENGLISH)
    assert found.kind == "unreadable"
    assert f"has the phone '{symbol}', which is neither silence (SIL, SP, NSN) nor one of" in found.reason


def test_phones_of_another_lexicon_are_taken_as_they_are_spelled():
    phones = PhoneSet.of(["a", "A", "a1", "ñ", "n_j", "B"])
    for symbol, name in (
        ("a_B", "a"),
        ("A", "A"),
        ("a1", "a1"),
        ("a1_E", "a1"),
        ("ñ_I", "ñ"),
        ("n_j_S", "n_j"),
        ("b", "B"),
    ):
        assert known_phone(symbol, phones) == phones.ids[name]
    assert "nor one of the run's lexicon: A B a a1 n_j ñ; map it" in known_phone("o", phones).reason


@pytest.mark.parametrize("symbol", ["SPN", "SPN_S", "spn"])
def test_the_phone_of_unknown_words_is_no_silence(symbol):
    assert known_phone(symbol, ENGLISH).kind == "unknown_words"


@pytest.mark.parametrize(
    ("frames", "places"), [(1, [1]), (2, [0, 2]), (3, [0, 1, 2]), (4, [0, 1, 1, 2]), (5, [0, 0, 1, 2, 2])]
)
def test_a_third_of_a_phone_is_one_of_its_states(frames, places):
    found = times("S IY", [frames, frames + 3]).states()
    np.testing.assert_array_equal(found // 3, [ENGLISH.ids["S"]] * frames + [ENGLISH.ids["IY"]] * 3)
    np.testing.assert_array_equal(found % 3, [*places, 0, 1, 2])


def test_silences_in_turn_are_one_and_phones_without_frames_are_none():
    found = times("SIL SIL S IY SIL SIL", [3, 6, 6, 9, 12, 15])
    assert found.phones.tolist() == [ENGLISH.ids[phone] for phone in ("SIL", "IY", "SIL")]
    assert found.ends.tolist() == [6, 9, 15]


@pytest.mark.parametrize(
    ("rest", "frames", "firsts"),
    [("edges", 12, [0, 4]), ("edges", 11, [0, 3]), ("edges", 9, [0, 3]), ("last", 12, [0, 3]), ("last", 9, [0, 3])],
)
def test_a_few_frames_more_or_less(rest, frames, firsts):
    phones = times("S IY", [3, 10], rest).fitted(frames).states() // 3
    assert len(phones) == frames
    np.testing.assert_array_equal(np.flatnonzero(np.diff(phones, prepend=-1)), firsts)


@pytest.mark.parametrize(("rest", "frames"), [("edges", 16), ("last", 16), ("last", 4), ("silence", 4)])
def test_times_of_other_audio_do_not_fit(rest, frames):
    assert times("S IY", [3, 10], rest).fitted(frames) == Unusable(
        "other_length",
        f"its imported alignment has 10 frames of 10 ms, but its audio {frames}; align the same audio, at 10 ms a "
        "frame",
    )
    assert "has 0 frames" in times("", []).fitted(3).reason


def test_a_phone_behind_the_end_of_the_audio_is_lost():
    found = times("S IY Z", [3, 9, 12]).fitted(8)
    assert found.phones.tolist() == [ENGLISH.ids["S"], ENGLISH.ids["IY"]]
    assert found.ends.tolist() == [3, 8]


def test_where_no_silence_is_listed_it_follows():
    found = times("S IY", [3, 6], "silence").fitted(100).states()
    assert (found[:6] > 2).all()
    assert (found[6:] < 3).all()
    found = times("S SIL", [3, 6], "silence").fitted(100)  # noise, which is silence, at the end
    assert (found.phones.tolist(), found.ends.tolist()) == ([ENGLISH.ids["S"], 0], [3, 100])
