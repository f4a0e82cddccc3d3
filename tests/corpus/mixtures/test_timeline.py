"""Turns of simulated conversations: at most two talkers at once, overlaps and pauses as the recipe says."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.mixtures.timeline import Speech, draw_turns
from ssl_asr.corpus.mixtures.turns import Turn, assign_channels
from ssl_asr.recipe import Mixtures

RATE = 100


def speech(*lengths_and_speakers: tuple[int, str]) -> list[Speech]:
    return [
        Speech(f"u{number}", speaker, f"text {number}", np.zeros(length, np.float32))
        for number, (length, speaker) in enumerate(lengths_and_speakers)
    ]


def overlap(before: Turn, turn: Turn) -> int:
    return before.end - turn.start


UTTERANCES = st.lists(st.tuples(st.integers(1, 400), st.sampled_from("abc")), min_size=1, max_size=9)
RECIPES = st.builds(
    lambda overlaps, longest, pauses: Mixtures(
        overlap_share=overlaps, longest_overlap=longest, pause_seconds=tuple(sorted(pauses))
    ),
    st.floats(0, 1),
    st.floats(0, 1),
    st.tuples(st.floats(0, 2), st.floats(0, 2)),
)


@given(UTTERANCES, RECIPES, st.integers(0, 2**32))
@settings(deadline=None)
def test_turns_are_those_of_a_conversation(lengths, mixtures, seed):
    said = speech(*lengths)
    turns = draw_turns(said, mixtures, sample_rate=RATE, rng=np.random.default_rng(seed))
    assert turns[0].start == 0
    assert [(turn.id, turn.speaker, turn.text) for turn in turns] == [(s.id, s.speaker, s.text) for s in said]
    assert [turn.end - turn.start for turn in turns] == [len(each.samples) for each in said]
    for before, turn in itertools.pairwise(turns):
        assert before.start < turn.start
        assert before.end <= turn.end
        if overlap(before, turn) > 0:
            shorter = min(each.end - each.start for each in (before, turn))
            assert overlap(before, turn) <= round(mixtures.longest_overlap * shorter)
        else:
            assert min(mixtures.pause_seconds) - 0.01 <= -overlap(before, turn) / RATE
            assert -overlap(before, turn) / RATE <= max(mixtures.pause_seconds) + 0.01
    for turn in turns:
        others = [other for other in turns if other is not turn and other.start <= turn.start < other.end]
        assert len(others) <= 1
        assert all(other.speaker != turn.speaker for other in others)
    assert set(assign_channels(turns)) <= {0, 1}


def test_as_many_turns_overlap_as_the_recipe_says():
    said = speech(*((300, "ab"[number % 2]) for number in range(2000)))
    for share in (0.0, 0.3, 1.0):
        mixtures = Mixtures(overlap_share=share, longest_overlap=0.4, pause_seconds=(0.2, 0.5))
        turns = draw_turns(said, mixtures, sample_rate=RATE, rng=np.random.default_rng(1))
        overlaps = [overlap(*pair) for pair in itertools.pairwise(turns)]
        # An overlap that is drawn shorter than half a sample is none.
        assert np.mean([each > 0 for each in overlaps]) == pytest.approx(share, abs=0.03)
        if share:
            assert 0.36 < max(overlaps) / 300 <= 0.4
        if share < 1:
            pauses = [-each / RATE for each in overlaps if each <= 0]
            assert np.mean(pauses) == pytest.approx(0.35, abs=0.02)


def test_a_changed_share_of_overlaps_moves_no_other_choice():
    said = speech(*((300, "ab"[number % 2]) for number in range(40)))

    def steps(share: float) -> list[int]:
        turns = draw_turns(said, Mixtures(overlap_share=share), sample_rate=RATE, rng=np.random.default_rng(1))
        return [overlap(*pair) for pair in itertools.pairwise(turns)]

    never, sometimes = steps(0.0), steps(0.5)
    kept = [one == other for one, other in zip(never, sometimes, strict=True)]
    assert 5 < sum(kept) < 35
    assert all(one == other or other > 0 for one, other in zip(never, sometimes, strict=True))
