"""Turns by their marks, their count and their latencies, by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.mixtures.targets import marked_texts
from ssl_asr.corpus.mixtures.turns import Turn, by_channel
from ssl_asr.evaluation.turns.counting import count_turns
from ssl_asr.evaluation.turns.emissions import Emission, Group, emitted_turns
from ssl_asr.evaluation.turns.latencies import turn_latencies

RATE = 1000
SPOKEN = (
    Turn("u1", "a", "hello there", 0, 1000),
    Turn("u2", "b", "yes", 800, 1500),
    Turn("u3", "a", "good", 1700, 2300),
)


def channel(*emissions: tuple[str, float]) -> tuple[Emission, ...]:
    return tuple(Emission(*each) for each in emissions)


FIRST = channel(("hel", 0.3), ("lo", 0.5), ("there", 0.9), ("<eot>", 1.1), ("<sot>", 1.8), ("good", 2.2))
SECOND = channel(("<sot>", 1.0), ("yes", 1.4), ("<eot>", 1.75))


def test_turns_of_a_channel():
    hello, good = emitted_turns(FIRST)
    assert [each.token for each in hello.subwords] == ["hel", "lo", "there"]
    assert (hello.started, hello.ended, hello.first) == (None, 1.1, 0.3)
    assert (good.started, good.ended, good.first) == (1.8, None, 1.8)


@pytest.mark.parametrize(
    ("tokens", "turns"),
    [
        ("", []),
        ("a b", ["a b"]),
        ("a <cot> b", ["a", "b"]),
        ("a <eot> b", ["a", "b"]),  # either mark parts two turns
        ("a <sot> b", ["a", "b"]),
        ("<sot> <eot> <sot> a <eot> <eot>", ["a"]),  # marks without words are no turn
    ],
)
def test_any_mark_parts_two_turns(tokens, turns):
    found = emitted_turns(channel(*((token, float(at)) for at, token in enumerate(tokens.split()))))
    assert [" ".join(each.token for each in turn.subwords) for turn in found] == turns


def test_a_mark_belongs_to_the_words_beside_it():
    (lost, kept) = emitted_turns(channel(("<sot>", 1.0), ("a", 2.0), ("<sot>", 3.0), ("b", 4.0), ("<eot>", 5.0)))
    assert (lost.started, lost.ended) == (1.0, None)
    assert (kept.started, kept.ended) == (3.0, 5.0)
    (after,) = emitted_turns(channel(("<sot>", 1.0), ("<eot>", 2.0), ("a", 3.0)))
    assert after.started is None


def test_latencies_of_a_group_by_hand():
    found = turn_latencies([Group(SPOKEN, (FIRST, SECOND), RATE)])
    # Without the last turn: "hello there" and "yes". Without the first: "yes" and "good".
    ends, lasts = (0.1, 0.25), (-0.1, -0.1)
    starts, firsts = (0.2, 0.1), (0.6, 0.5)
    for percentiles, (one, other) in zip(
        (found.end_point, found.last_subword, found.start_point, found.first_subword),
        (ends, lasts, starts, firsts),
        strict=True,
    ):
        assert percentiles.count == 2
        assert percentiles.p50 == pytest.approx((one + other) / 2)
        assert percentiles.p90 == pytest.approx(min(one, other) + 0.9 * abs(one - other))


def test_only_groups_of_more_than_two_turns_with_the_right_count_have_latencies():
    wrong = Group(SPOKEN, (FIRST, channel()), RATE)
    short = Group(SPOKEN[:2], (FIRST[:4], SECOND), RATE)
    for group in (wrong, short):
        found = turn_latencies([group])
        assert found.end_point is found.last_subword is found.start_point is found.first_subword is None
    right = Group(SPOKEN, (FIRST, SECOND), RATE)
    assert turn_latencies([wrong, right, short]) == turn_latencies([right])


def test_a_mark_that_was_not_emitted_has_no_latency():
    changes = channel(("hello", 0.5), ("<cot>", 1.5), ("good", 2.2))
    found = turn_latencies([Group(SPOKEN, (changes, SECOND[1:]), RATE)])
    assert found.start_point is None
    assert found.end_point.count == 1
    assert found.first_subword.count == found.last_subword.count == 2


def test_the_last_turn_is_that_which_ends_last():
    nested = (SPOKEN[0], Turn("u2", "b", "yes", 1200, 3000), Turn("u3", "a", "good", 1700, 2300))
    ended = (*FIRST, Emission("<eot>", 2.5))
    found = turn_latencies([Group(nested, (ended, channel(("<sot>", 1.3), ("yes", 1.4))), RATE)])
    assert found.end_point.count == 2
    assert found.end_point.p50 == pytest.approx((0.1 + 0.2) / 2)


def test_accuracy_of_counts():
    right, wrong = Group(SPOKEN, (FIRST, SECOND), RATE), Group(SPOKEN, (FIRST, channel()), RATE)
    short = Group(SPOKEN[:2], (FIRST[:4], SECOND), RATE)
    found = count_turns([right, wrong, short, short])
    assert (found.groups, found.right, found.groups_of_more, found.right_of_more) == (4, 3, 2, 1)
    assert (found.accuracy, found.accuracy_of_more) == (0.75, 0.5)
    assert count_turns([]).accuracy is None
    assert count_turns([short]).accuracy_of_more is None


def test_ends_that_never_came_are_counted_in_all_conversations():
    """Of the first group both came, of the second one, of the third none; a group never has more than it should."""
    without = tuple(each for each in SECOND if each.token != "<eot>")
    twice = (*FIRST, *channel(("<eot>", 2.5), ("<eot>", 2.6)))
    groups = [Group(SPOKEN, channels, RATE) for channels in ((FIRST, SECOND), (FIRST, without), ((), ()))]
    found = count_turns(groups)
    assert (found.ends, found.missed_ends, found.missed_end_share) == (6, 3, 0.5)
    assert count_turns([*groups, Group(SPOKEN[:1], (twice, ()), RATE)]).missed_ends == 3
    assert count_turns(groups, has_ends=False).missed_end_share is None


LENGTHS = st.lists(st.tuples(st.integers(1, 20), st.integers(-5, 10)), max_size=7)  # with the pause before


@given(LENGTHS)
@settings(deadline=None)
def test_what_is_trained_is_counted_right(lengths):
    """Targets of any conversation, emitted as they are, hold as many turns as were spoken."""
    turns, at = [], 0
    for number, (length, pause) in enumerate(lengths):
        before = turns[-2].end if len(turns) > 1 else 0
        start = max(at + pause, before, turns[-1].start if turns else 0)
        turns.append(Turn(f"u{number}", "s", f"text of {number}", start, start + length))
        at = max(turn.end for turn in turns)
    texts = marked_texts(by_channel(turns))
    channels = tuple(channel(*((token, 0.0) for token in text.split())) for text in texts)
    group = Group(tuple(turns), channels, RATE)
    assert group.is_counted_right
    assert count_turns([group]).missed_ends == 0
    assert count_turns([group]).ends == max(len(turns) - 1, 0)
