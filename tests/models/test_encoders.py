"""Encoders: a whole utterance equals any chunking with carried state, and padding changes nothing.

Chunks and whole utterances are summed in other orders, so they agree within 1e-5, absolute and relative.
"""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ssl_asr.models.blstm import Blstm
from ssl_asr.models.encoder import Encoder, EncoderState, build_encoder
from ssl_asr.models.lstm import Lstm
from ssl_asr.recipe import BlstmNetwork, ConvRnntNetwork, LstmNetwork, NetworkSection, ProjectedLstmNetwork

WIDTH, UNITS = 5, 7
CAUSAL = {
    "lstm": LstmNetwork(layers=2, units=UNITS),
    "projected-lstm": ProjectedLstmNetwork(layers=2, units=UNITS, projection=6),
    "conv-rnnt": ConvRnntNetwork(
        layers=2, units=UNITS, projection=6, width=4, local_channels=(3, 2), local_kernel=3, global_blocks=3
    ),
}
each_causal = pytest.mark.parametrize("section", CAUSAL.values(), ids=CAUSAL)


def causal(section: NetworkSection) -> Encoder:
    torch.manual_seed(2)
    return build_encoder(section, WIDTH).eval()


def lstm() -> Lstm:
    return Lstm(LstmNetwork(layers=2, units=UNITS), WIDTH).eval()


def assert_near(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def blstm(dropout: float = 0.0) -> Blstm:
    torch.manual_seed(3)
    return Blstm(BlstmNetwork(layers=3, units=UNITS, dropout=dropout), WIDTH)


def utterances(*lengths: int) -> list[torch.Tensor]:
    return [torch.randn(length, WIDTH) for length in lengths]


def padded(pieces: list[torch.Tensor], value: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(piece) for piece in pieces)
    frames = torch.full((len(pieces), longest, WIDTH), value)
    for row, piece in zip(frames, pieces, strict=True):
        row[: len(piece)] = piece
    return frames, torch.tensor([len(piece) for piece in pieces])


def in_chunks(
    encoder: Encoder, whole: list[torch.Tensor], chance: random.Random
) -> tuple[list[torch.Tensor], EncoderState]:
    """Outputs by utterance and the last state; each utterance is cut by itself, so chunks are ragged or empty."""
    begins, state = [0] * len(whole), encoder.initial_state(len(whole))
    found: list[list[torch.Tensor]] = [[] for _ in whole]
    while any(begin < len(each) for begin, each in zip(begins, whole, strict=True)):
        counts = [
            min(chance.choice([0, 1, 2, 5, 11]), len(each) - at) for at, each in zip(begins, whole, strict=True)
        ]
        if not any(counts):
            continue
        chunk = [each[at : at + count] for at, count, each in zip(begins, counts, whole, strict=True)]
        outputs, after = encoder(*padded(chunk), state)
        assert after is not None
        state = after
        for kept, row, count in zip(found, outputs, counts, strict=True):
            kept.append(row[:count])
        begins = [at + count for at, count in zip(begins, counts, strict=True)]
    return [torch.cat(kept) for kept in found], state


@each_causal
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_any_chunking_with_carried_state_equals_the_whole(
    section: NetworkSection, lengths: list[int], seed: int
) -> None:
    encoder = causal(section)
    whole = utterances(*lengths)
    with torch.no_grad():
        cut, state = in_chunks(encoder, whole, random.Random(seed))
        for index, each in enumerate(whole):
            alone, after = encoder(each[None], torch.tensor([len(each)]), encoder.initial_state(1))
            assert_near(cut[index], alone[0])
            for mine, other in zip(state, after, strict=True):
                assert_near(mine[:, index], other[:, 0])
        together, none = encoder(*padded(whole))
    assert none is None
    for row, each in zip(together, cut, strict=True):
        assert_near(row[: len(each)], each)


@each_causal
def test_a_state_is_that_of_each_sequences_own_end_and_gradients_reach_it(section: NetworkSection) -> None:
    encoder = causal(section)
    frames, lengths = padded(utterances(4, 9, 0), value=50.0)
    begin = tuple(each.requires_grad_() for each in encoder.initial_state(3))
    _, after = encoder(frames, lengths, begin)
    _, alone = encoder(frames[:1, :4], torch.tensor([4]), encoder.initial_state(1))
    for before, ended, other in zip(begin, after, alone, strict=True):
        assert ended.shape == before.shape
        assert torch.equal(ended[:, 2], before[:, 2])
        assert_near(ended[:, :1], other)
    sum(each.sum() for each in after).backward()
    assert all(bool((each.grad != 0).any(2).all()) for each in begin if each.dim() == 3)


@each_causal
@pytest.mark.parametrize("training", [False, True])
def test_what_comes_later_changes_nothing_before(section: NetworkSection, training: bool) -> None:
    encoder = causal(section.model_copy(update={"dropout": 0.0})).train(training)
    frames, lengths = torch.randn(2, 40, WIDTH), torch.tensor([40, 40])
    outputs, _ = encoder(frames, lengths)
    for begin in (1, 17, 39):
        changed = frames.clone()
        changed[:, begin:] = 100 * torch.randn(2, 40 - begin, WIDTH)
        other, _ = encoder(changed, lengths)
        torch.testing.assert_close(other[:, :begin], outputs[:, :begin], rtol=0, atol=1e-6)
        assert bool((other[:, begin] != outputs[:, begin]).any(1).all())


@each_causal
def test_all_that_came_before_can_be_heard(section: NetworkSection) -> None:
    """The first frame changes the last output of forty: by the cells of an LSTM, and by running means."""
    encoder = causal(section)
    frames, lengths = torch.randn(1, 40, WIDTH, requires_grad=True), torch.tensor([40])
    outputs, _ = encoder(frames, lengths)
    outputs[0, -1].sum().backward()
    assert frames.grad is not None
    assert bool((frames.grad[0, 0] != 0).any())


@each_causal
def test_it_runs_in_bfloat16(section: NetworkSection) -> None:
    """As labelling may run it, by autocast."""
    encoder, (frames, lengths) = causal(section), padded(utterances(9, 14))
    with torch.no_grad():
        whole, _ = encoder(frames, lengths)
        with torch.autocast("cpu", torch.bfloat16):
            half, _ = encoder(frames, lengths)
    torch.testing.assert_close(half.float()[0, :9], whole[0, :9], rtol=0, atol=0.05)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_padding_changes_nothing_for_both_directions(training: bool, value: float) -> None:
    encoder = blstm().train(training)
    whole = utterances(8, 3, 13, 1)
    outputs, _ = encoder(*padded(whole, value))
    for row, each in zip(outputs, whole, strict=True):
        alone, _ = encoder(each[None], torch.tensor([len(each)]))
        torch.testing.assert_close(row[: len(each)], alone[0])


def gradients(encoder: nn.Module, outputs: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(outputs.square().sum(), list(encoder.parameters())))


def test_turned_and_packed_batches_and_each_alone_have_the_same_gradients() -> None:
    encoder = blstm().train()
    whole = utterances(8, 3, 13)
    frames, lengths = padded(whole)
    inside = torch.arange(frames.shape[1])[None, :] < lengths[:, None]
    alone = [encoder(each[None], torch.tensor([len(each)]))[0][0] for each in whole]
    wanted = gradients(encoder, torch.cat(alone))
    for outputs in (encoder(frames, lengths)[0], encoder._packed(frames, lengths)):
        torch.testing.assert_close(gradients(encoder, outputs[inside]), wanted)


def test_dropout_lies_between_the_layers_in_training_alone() -> None:
    encoder = blstm(dropout=0.5)
    frames, lengths = padded(utterances(8, 3))
    assert not torch.equal(encoder.train()(frames, lengths)[0], encoder(frames, lengths)[0])
    assert torch.equal(encoder.eval()(frames, lengths)[0], encoder(frames, lengths)[0])


def test_a_network_of_both_directions_refuses_chunks() -> None:
    encoder, state = blstm(), lstm().initial_state(1)
    assert not encoder.is_causal
    with pytest.raises(ValueError, match="kind 'blstm' needs whole utterances; it can't be run in chunks"):
        encoder.initial_state(1)
    with pytest.raises(ValueError, match="can't be run in chunks"):
        encoder(torch.randn(1, 4, WIDTH), torch.tensor([4]), state)
