"""Times of phones as states of frames."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.phone_times import PhoneTimes, joined_silences, known_phone, phone_id
from ssl_asr.lang.phones import PHONE_IDS


def times(text: str, ends: list[int], rest: str = "last") -> PhoneTimes:
    return joined_silences([PHONE_IDS[phone] for phone in text.split()], ends, rest)


@pytest.mark.parametrize(
    ("symbol", "phone"),
    [
        *(("AA1_B", "AA"), ("AA", "AA"), ("ah0", "AH"), ("NG_E", "NG"), ("S_S", "S"), ("ER2_I", "ER")),
        *(("SIL", "SIL"), ("sil", "SIL"), ("SIL_S", "SIL"), ("SPN_B", "SIL"), ("NSN", "SIL"), ("sp", "SIL")),
    ],
)
def test_position_and_stress_do_not_count(symbol, phone):
    assert phone_id(symbol) == PHONE_IDS[phone]


@pytest.mark.parametrize("symbol", ["AX", "AA3", "ɑ", "#0", "<eps>", "AA_X", "12", ""])
def test_an_unknown_phone_is_refused_in_one_sentence(symbol):
    with pytest.raises(ValueError, match=r"^line 7 of x has the phone .*, which is neither silence .* nor one of"):
        known_phone(symbol, "line 7 of x")


@pytest.mark.parametrize(
    ("frames", "places"), [(1, [1]), (2, [0, 2]), (3, [0, 1, 2]), (4, [0, 1, 1, 2]), (5, [0, 0, 1, 2, 2])]
)
def test_a_third_of_a_phone_is_one_of_its_states(frames, places):
    found = times("S IY", [frames, frames + 3]).states(frames + 3)
    np.testing.assert_array_equal(found // 3, [PHONE_IDS["S"]] * frames + [PHONE_IDS["IY"]] * 3)
    np.testing.assert_array_equal(found % 3, [*places, 0, 1, 2])


def test_silences_in_turn_are_one_and_phones_without_frames_are_none():
    found = times("SIL SIL S IY SIL SIL", [3, 6, 6, 9, 12, 15])
    assert found.phones.tolist() == [PHONE_IDS[phone] for phone in ("SIL", "IY", "SIL")]
    assert found.ends.tolist() == [6, 9, 15]


@pytest.mark.parametrize(
    ("rest", "frames", "firsts"),
    [("edges", 12, [0, 4]), ("edges", 11, [0, 3]), ("edges", 9, [0, 3]), ("last", 12, [0, 3]), ("last", 9, [0, 3])],
)
def test_a_few_frames_more_or_less(rest, frames, firsts):
    phones = times("S IY", [3, 10], rest).states(frames) // 3
    assert len(phones) == frames
    np.testing.assert_array_equal(np.flatnonzero(np.diff(phones, prepend=-1)), firsts)


@pytest.mark.parametrize(("rest", "frames"), [("edges", 16), ("last", 16), ("last", 4), ("silence", 4)])
def test_times_of_other_audio_do_not_fit(rest, frames):
    found = times("S IY", [3, 10], rest).states(frames)
    assert found == (
        f"its imported alignment has 10 frames of 10 ms, but its audio {frames}; align the same audio, at 10 ms a "
        "frame, or take this utterance out of the alignments"
    )
    assert "has 0 frames" in times("", []).states(3)


def test_where_no_silence_is_listed_it_follows():
    found = times("S IY", [3, 6], "silence").states(100)
    assert (found[:6] > 2).all()
    assert (found[6:] < 3).all()
