"""Results of a conversation, with a transducer whose channels hear just what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.lang.pieces import BLANK, UNKNOWN, Pieces
from ssl_asr.recipe import TransducerSearch
from ssl_asr.serving.endpoints import Endpoints, SilenceRule
from ssl_asr.serving.results import Final
from ssl_asr.serving.transducers.turn_results import TurnResults
from ssl_asr.transducer.channel_search import ChannelSearch
from ssl_asr.transducer.steps import Float32
from tests.serving.transducers.test_piece_search import SEARCHES, Told, heard

PIECES = Pieces((BLANK, UNKNOWN, "<eot>", "▁cat", "▁a", "s", "<sot>", "▁b"), frozenset({0, 2, 6}))
EOT, CAT, A, S, SOT, B = 2, 3, 4, 5, 6, 7
FIRST = [A, 0, EOT, 0, 0, 0, 0, SOT, B, 0]
SECOND = [0, SOT, CAT, S, 0, 0, EOT, 0, 0, 0]


def results(search: TransducerSearch, endpoints: Endpoints | None = None) -> TurnResults:
    new_search = partial(ChannelSearch, Told(), search, PIECES, 2)
    return TurnResults(new_search, 2, endpoints, confidences=True)


def both(first: Sequence[int], second: Sequence[int]) -> Float32:
    return np.concatenate([heard(first), heard(second)], 1)


def run(found: TurnResults, outputs: Float32, block: int = 3) -> list[Final]:
    finals = [each for at in range(0, len(outputs), block) for each in found.advance(outputs[at : at + block])]
    return [*finals, *found.end("end")]


def test_each_turn_is_a_result_with_its_channel_and_times() -> None:
    found = run(results(SEARCHES[0]), both(FIRST, SECOND))
    assert [(each.text, each.output_channel, each.start, each.end, each.reason) for each in found] == [
        ("a", 0, 0.0, 0.09, "turn"),
        ("cats", 1, 0.03, 0.21, "turn"),
        ("b", 0, 0.21, 0.27, "end"),
    ]
    assert [each.number for each in found] == [0, 1, 2]
    assert [(word.start, word.end, word.confidence) for word in found[1].words] == [(0.06, 0.12, 0.81)]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("block", [1, 4, 10])
def test_blocks_and_beams_change_no_word(search: TransducerSearch, block: int) -> None:
    found = run(results(search), both(FIRST, SECOND), block)
    turns = sorted(found, key=lambda each: each.start)
    assert [(each.text, each.output_channel) for each in turns] == [("a", 0), ("cats", 1), ("b", 0)]


def test_a_partial_result_has_the_turns_under_way() -> None:
    found = results(SEARCHES[0])
    outputs = both(FIRST, SECOND)
    assert found.advance(outputs[:1]) == []
    partial_result = found.partial(True)
    assert (partial_result.words, partial_result.start) == (("a",), 0.0)
    assert [word.end for word in partial_result.timed] == [0.03]
    found.advance(outputs[1:4])
    assert (found.partial(False).words, found.partial(False).start) == (("cats",), 0.03)
    found.advance(outputs[4:7])
    assert found.partial(False).words == ()
    assert found.frames == 7


@settings(max_examples=20, deadline=None)
@given(
    pause=st.integers(20, 40),  # endpoints are looked for every third frame
    said=st.lists(st.tuples(st.sampled_from([A, B, CAT]), st.integers(0, 1)), max_size=5),
)
def test_no_word_is_lost_or_said_twice_around_an_endpoint(pause: int, said: list[tuple[int, int]]) -> None:
    """Turns without a mark behind them end by silence on all channels."""
    channels: list[list[int]] = [[0] * 5, [0] * 5]
    for label, channel in said:
        channels[channel] += [label, *[0] * pause]
        channels[1 - channel] += [0] * (pause + 1)
    finals = run(results(SEARCHES[0], Endpoints((SilenceRule(0.5),))), both(*channels))
    found = [(each.text, each.output_channel) for each in finals if each.words]
    assert found == [(PIECES.decode([label]), channel) for label, channel in said]
    assert {each.reason for each in finals} <= {"silence", "end"}
    starts = [each.start for each in finals if each.words]
    assert starts == [round(0.03 * (5 + place * (pause + 1)), 2) for place in range(len(said))]


def test_a_stream_without_words_ends_with_a_result_without_words() -> None:
    (final,) = run(results(SEARCHES[1]), both([0] * 6, [0] * 6))
    assert (final.words, final.output_channel, final.end, final.reason) == ((), None, 0.18, "end")
    assert results(SEARCHES[0]).end("asked")[0].words == ()


def test_outputs_that_are_not_finite_are_told() -> None:
    with pytest.raises(ValueError, match="not finite"):
        results(SEARCHES[0]).advance(np.full((1, 2 * len(PIECES)), np.nan, np.float32))
