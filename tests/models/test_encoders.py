"""Encoders: a whole utterance equals any chunking with carried state, and padding changes nothing."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from ssl_asr.models.blstm import Blstm
from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.models.lstm import Lstm
from ssl_asr.recipe import BlstmNetwork, LstmNetwork

WIDTH, UNITS = 5, 7


def lstm(layers: int = 2) -> Lstm:
    torch.manual_seed(layers)
    return Lstm(LstmNetwork(layers=layers, units=UNITS), WIDTH).eval()


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


@pytest.mark.parametrize("seed", range(12))
def test_any_chunking_with_carried_state_equals_the_whole(seed: int) -> None:
    chance = random.Random(seed)
    encoder = lstm(layers=chance.randint(1, 3))
    whole = utterances(*(chance.randint(1, 30) for _ in range(chance.randint(1, 5))))
    with torch.no_grad():
        cut, state = in_chunks(encoder, whole, chance)
        for index, each in enumerate(whole):
            alone, after = encoder(each[None], torch.tensor([len(each)]), encoder.initial_state(1))
            torch.testing.assert_close(cut[index], alone[0])
            for mine, other in zip(state, after, strict=True):
                torch.testing.assert_close(mine[:, index], other[:, 0])
        together, none = encoder(*padded(whole))
    assert none is None
    for row, each in zip(together, cut, strict=True):
        torch.testing.assert_close(row[: len(each)], each)


def test_a_state_is_that_of_each_sequences_own_end_and_gradients_reach_it() -> None:
    encoder = lstm()
    frames, lengths = padded(utterances(4, 9, 0), value=50.0)
    begin = tuple(each.requires_grad_() for each in encoder.initial_state(3))
    _, (hidden, cell) = encoder(frames, lengths, begin)
    assert torch.equal(hidden[:, 2], begin[0][:, 2])
    _, (alone, _) = encoder(frames[:1, :4], torch.tensor([4]), encoder.initial_state(1))
    torch.testing.assert_close(hidden[:, :1], alone)
    (hidden.sum() + cell.sum()).backward()
    assert all(bool((each.grad != 0).all()) for each in begin)


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
