"""The transducer: no delay, nothing from padding, and the same outputs whole and in chunks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from ssl_asr.recipe import BlstmNetwork
from ssl_asr.recipe.predictor import PredictorSection
from ssl_asr.transducer.model import EncoderStream
from tests.transducer.small import INPUTS, NETWORK, PREDICTORS, transducer

BLSTM = BlstmNetwork(layers=1, units=6)


@pytest.mark.parametrize("network", [NETWORK, BLSTM])
@torch.no_grad()
def test_a_batch_gives_what_each_utterance_gives_alone(network: BlstmNetwork) -> None:
    model = transducer(network=network)
    utterances = [torch.randn(length, INPUTS) for length in (7, 12, 1, 5)]
    lengths = torch.tensor([len(each) for each in utterances])
    together = model.encode_whole(pad_sequence(utterances, batch_first=True, padding_value=9.0), lengths)
    for frames, outputs in zip(utterances, together, strict=True):
        alone = model.encode_whole(frames[None], torch.tensor([len(frames)]))
        assert alone.shape == (1, len(frames), model.encoder.width)
        torch.testing.assert_close(outputs[: len(frames)], alone[0])


@torch.no_grad()
def test_an_output_hears_its_frame_and_the_look_ahead() -> None:
    model = transducer()
    frames = torch.randn(1, 20, INPUTS)
    changed = frames.clone()
    changed[0, 11] += 1
    lengths = torch.tensor([20])
    differs = (model.encode_whole(frames, lengths) != model.encode_whole(changed, lengths))[0].any(1)
    assert int(differs.nonzero().min()) == 11 - NETWORK.look_ahead


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=6), st.integers(0, 3))
def test_a_stream_gives_the_outputs_of_the_whole_utterance(chunks: list[int], look_ahead: int) -> None:
    model = transducer(network=NETWORK.model_copy(update={"look_ahead": look_ahead}))
    frames = torch.randn(sum(chunks), INPUTS)
    stream = EncoderStream(model)
    found = [stream.accept(chunk) for chunk in frames.split(chunks)] if chunks else []
    assert sum(map(len, found)) == max(0, len(frames) - look_ahead)
    outputs = torch.cat([*found, stream.finish()])
    if len(frames):
        torch.testing.assert_close(outputs, model.encode_whole(frames[None], torch.tensor([len(frames)]))[0])
    assert outputs.shape == (len(frames), model.encoder.width)


def test_a_network_of_both_directions_is_no_stream() -> None:
    with pytest.raises(ValueError, match="needs whole utterances"):
        EncoderStream(transducer(network=BLSTM))


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_steps_and_whole_texts_have_the_same_probabilities_and_gradients_reach_all(
    predictor: PredictorSection,
) -> None:
    model = transducer(predictor)
    labels = torch.tensor([[3, 1, 2], [5, 6, 4]])
    encoded = model.encode_whole(torch.randn(2, 5, INPUTS), torch.tensor([5, 4]))
    projected = model.project(encoded)
    whole = model.log_probabilities(
        projected[:, :, None], model.joiner.predictor_projection(model.predictor(labels))[:, None]
    )
    assert whole.shape == (2, 5, 4, 7)
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(2, 5, 4))
    predicted, state = model.begin(2)
    for place in range(4):
        torch.testing.assert_close(model.log_probabilities(projected, predicted[:, None]), whole[:, :, place])
        if place < 3:
            predicted, state = model.step(labels[:, place], state)
    whole[..., 2].sum().backward()
    assert all(each.grad is not None and bool(each.grad.any()) for each in model.parameters())
