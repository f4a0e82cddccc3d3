"""A conversation in chunks: what its channels say is what they say of it as a whole, and what has ended stays."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.lang.pieces import BLANK, UNKNOWN, Pieces
from ssl_asr.recipe import SeparatorNetwork
from ssl_asr.recipe.predictor import LstmPredictor, TransducerSearch
from ssl_asr.transducer.channel_search import ChannelSearch
from ssl_asr.transducer.model import EncoderStream, TransducerModel
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.recognise import recognise_channels
from ssl_asr.transducer.spoken_turns import SpokenTurn
from tests.transducer.small import INPUTS, transducer

PIECES = Pieces((BLANK, UNKNOWN, "<sot>", "<eot>", "▁a", "▁b", "c"), frozenset({0, 2, 3}))
NETWORK = SeparatorNetwork(
    channels=3, units=12, width=8, mixture_layers=1, separation_layers=1, recogniser_layers=2, dropout=0.2
)
FRAMES = 40


def separator(seed: int) -> TransducerModel:
    return transducer(LstmPredictor(units=10, embedding=6), NETWORK, seed=seed)


def words_of(turns: list[SpokenTurn], channel: int) -> list[list[str]]:
    return [[word.word for word in turn.words] for turn in turns if turn.channel == channel]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=6), st.sampled_from([1, 4]), st.integers(0, 20))
def test_any_chunks_say_what_the_whole_says(counts: list[int], beam: int, seed: int) -> None:
    model, search = separator(seed), TransducerSearch(beam=beam, max_symbols=2)
    frames, steps = torch.randn(FRAMES, INPUTS), ModelSteps(model)
    stream, found, rest = EncoderStream(model), ChannelSearch(steps, search, PIECES, 3), frames
    ended = list[SpokenTurn]()
    for count in [*counts, FRAMES]:
        found.accept(steps.project(stream.accept(rest[:count])))
        ended += found.take_ended()
        rest = rest[count:]
    found.accept(steps.project(stream.finish()))
    (wanted,) = recognise_channels(model, [frames], search)
    assert found.frames == FRAMES
    assert [(each.labels, each.frames) for each in found.hypotheses()] == [(e.labels, e.frames) for e in wanted]
    turns, opened = found.turns(), found.open_turns()
    for channel in range(3):
        assert words_of(ended, channel) + words_of(opened, channel) == words_of(turns, channel)
    if beam == 1:
        assert sorted(map(repr, ended + opened)) == sorted(map(repr, turns))
    assert [each.first for each in turns] == sorted(each.first for each in turns)
    assert found.silence() == FRAMES - max(each.frames[-1] + 1 if each.frames else 0 for each in wanted)


def test_turns_end_while_the_conversation_goes_on() -> None:
    """Given out once each, by the greedy search in the frame of the mark behind them."""
    model = separator(1)
    steps = ModelSteps(model)
    search = ChannelSearch(steps, TransducerSearch(beam=1, max_symbols=2), PIECES, 3)
    encoded = model.encode_whole(torch.randn(1, FRAMES, INPUTS), torch.tensor([FRAMES]))[:, 0]
    count = 0
    for frame in range(FRAMES):
        search.accept(steps.project(encoded[:, frame : frame + 1]))
        for turn in search.take_ended():
            count += 1
            assert turn.words[-1].last <= turn.last <= frame
            assert turn.ended in (None, frame)
    assert count > 2
    assert search.take_ended() == []
