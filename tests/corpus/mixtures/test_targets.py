"""Texts with marks of turns, and masks of active frames."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.mixtures.targets import active_frames, changed_text, marked_texts
from ssl_asr.corpus.mixtures.turns import Turn, by_channel

TURNS = [
    Turn("u1", "a", "hello there", 0, 1000),
    Turn("u2", "b", "yes", 800, 1500),
    Turn("u3", "a", "good", 1500, 2100),
    Turn("u4", "b", "bye", 2000, 2500),
]


def test_the_first_start_and_the_last_end_of_the_mixture_are_left_out():
    assert marked_texts(by_channel(TURNS)) == ("hello there <eot> <sot> good <eot>", "<sot> yes <eot> <sot> bye")


def test_the_last_end_is_that_of_the_turn_that_ends_last():
    nested = [TURNS[0], Turn("u2", "b", "yes", 300, 500)]
    assert marked_texts(by_channel(nested)) == ("hello there", "<sot> yes <eot>")


def test_a_single_turn_has_no_marks_and_an_empty_channel_no_text():
    assert marked_texts(by_channel(TURNS[:1])) == ("hello there", "")
    assert marked_texts(((), ())) == ("", "")


def test_changes_of_turn_on_one_channel_or_two():
    assert changed_text(TURNS[::-1]) == "hello there <cot> yes <cot> good <cot> bye"
    assert [changed_text(each) for each in by_channel(TURNS)] == ["hello there <cot> good", "yes <cot> bye"]
    assert changed_text([]) == ""


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 200)), max_size=6),
    st.integers(0, 30),
)
@settings(deadline=None)
def test_a_frame_is_active_if_one_of_its_samples_is(pauses, frames):
    at, turns = 0, []
    for number, (pause, length) in enumerate(pauses):
        turns.append(Turn(f"u{number}", "s", "a", at + pause, at + pause + length))
        at += pause + length
    spoken = np.zeros(frames * 30, bool)
    for turn in turns:
        spoken[turn.start : turn.end] = True
    found = active_frames([turns, []], frames, frame_seconds=0.03, sample_rate=1000)
    np.testing.assert_array_equal(found[0], spoken.reshape(frames, 30).any(1))
    assert found.shape == (2, frames)
    assert not found[1].any()
