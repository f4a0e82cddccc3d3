"""The first free channel, by start time."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.mixtures.turns import Turn, assign_channels, by_channel


def turns(*times: tuple[int, int]) -> list[Turn]:
    return [Turn(f"u{number}", "s", "a", start, end) for number, (start, end) in enumerate(times)]


TIMES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)).map(lambda each: (each[0], sum(each))), max_size=8)


@pytest.mark.parametrize(
    ("times", "channels"),
    [
        ([(0, 10), (5, 15), (12, 20)], (0, 1, 0)),
        ([(0, 10), (10, 15), (15, 20)], (0, 0, 0)),  # one ends as the other begins
        ([(0, 10), (2, 4), (5, 8)], (0, 1, 1)),
        ([(0, 10), (2, 14), (16, 18)], (0, 1, 0)),  # both are free: the first
        ([(12, 20), (0, 10), (5, 15)], (0, 0, 1)),  # in any order
        ([(-3, 5), (2, 9), (6, 12)], (0, 1, 0)),  # the first began before the audio
    ],
)
def test_channels_by_hand(times, channels):
    assert assign_channels(turns(*times)) == channels


@given(TIMES, st.integers(1, 3))
@settings(deadline=None)
def test_turns_of_a_channel_never_overlap_or_there_are_too_many_talkers(times, channels):
    said = turns(*times)
    at_once = [sum(other.start <= turn.start < other.end for other in said) for turn in said]
    if max(at_once, default=0) > channels:
        with pytest.raises(ValueError, match="leave it out, or give the network more channels"):
            assign_channels(said, channels)
        return
    assigned = assign_channels(said, channels)
    placed = sorted(zip(said, assigned, strict=True), key=lambda each: (each[0].start, each[0].end, each[0].id))
    for number, (turn, mine) in enumerate(placed):
        taken = {channel for other, channel in placed[:number] if turn.start < other.end}
        assert mine == min({*range(channels)} - taken)
    found = by_channel(said, channels)
    assert len(found) == channels
    assert sorted(turn.id for each in found for turn in each) == sorted(turn.id for turn in said)
    for each in found:
        assert all(one.end <= other.start for one, other in itertools.pairwise(each))
