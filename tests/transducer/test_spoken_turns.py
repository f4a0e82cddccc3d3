"""Turns of a hypothesis: by hand, and against the turns that the evaluation counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.evaluation.turns.emissions import Emission, emitted_turns
from ssl_asr.lang.pieces import BLANK, UNKNOWN, Pieces
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.spoken_turns import SpokenTurn, spoken_turns

PIECES = Pieces((BLANK, UNKNOWN, "<sot>", "<eot>", "▁cat", "▁a", "s"), frozenset({0, 2, 3}))
SOT, EOT, CAT, A, S = 2, 3, 4, 5, 6


def said(*labels: int) -> Hypothesis:
    """A label every other frame."""
    logs = tuple(-0.1 * label for label in labels)
    return Hypothesis(labels, tuple(range(1, 2 * len(labels), 2)), logs, -1.0, -1.0)


def texts(turns: list[SpokenTurn]) -> list[str]:
    return [" ".join(word.word for word in turn.words) for turn in turns]


def test_turns_have_their_words_and_the_frames_of_their_marks() -> None:
    first, second = spoken_turns(said(A, CAT, S, EOT, SOT, CAT), PIECES, 1)
    assert texts([first, second]) == ["a cats", "cat"]
    assert (first.channel, first.started, first.ended, first.first, first.last) == (1, None, 7, 1, 7)
    assert (second.started, second.ended, second.first, second.last) == (9, None, 9, 11)
    assert [(word.first, word.last) for word in first.words] == [(1, 1), (3, 5)]
    assert first.words[0].confidence < 1


def test_marks_without_words_are_no_turn() -> None:
    assert spoken_turns(said(), PIECES) == []
    assert spoken_turns(said(SOT, EOT, SOT), PIECES) == []
    (turn,) = spoken_turns(said(SOT, SOT, A, EOT, EOT), PIECES)
    assert (turn.started, turn.ended) == (3, 7)


@given(st.lists(st.sampled_from([SOT, EOT, CAT, A, S]), max_size=12))
def test_they_are_the_turns_that_the_evaluation_counts(labels: list[int]) -> None:
    hypothesis = said(*labels)
    emissions = [
        Emission(PIECES.pieces[label], float(frame)) for label, frame in zip(labels, hypothesis.frames, strict=True)
    ]
    found, wanted = spoken_turns(hypothesis, PIECES), emitted_turns(emissions)
    assert [(each.started, each.ended) for each in found] == [(each.started, each.ended) for each in wanted]
    assert [each.first for each in found] == [each.first for each in wanted]
