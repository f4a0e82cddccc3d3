"""The three networks of a transducer in ONNX compute what torch computes, in any chunks and for any sequences."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.recipe import (
    BlstmNetwork,
    ConvRnntNetwork,
    NetworkSection,
    ProjectedLstmNetwork,
    SeparatorNetwork,
)
from ssl_asr.recipe.predictor import PredictorSection
from ssl_asr.serving.description import EncoderShape
from ssl_asr.serving.exporting.transducers.networks import (
    encoder_onnx,
    joiner_onnx,
    output_channels,
    predictor_onnx,
)
from ssl_asr.serving.network import Network, open_session
from ssl_asr.serving.onnx_file import check_onnx
from ssl_asr.serving.streaming.scorer import OnlineNetwork
from ssl_asr.serving.transducers.networks import ENCODED, StepNetworks
from ssl_asr.transducer.channel_search import split_channels
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.steps import rows_of
from tests.transducer.small import INPUTS, NETWORK, PREDICTORS, transducer

NETWORKS = [
    NETWORK,
    ProjectedLstmNetwork(layers=2, units=10, projection=6, look_ahead=1),
    ConvRnntNetwork(
        layers=2,
        units=8,
        projection=6,
        width=5,
        local_channels=(3, 2),
        local_kernel=3,
        global_blocks=2,
        global_kernel=3,
    ),
    ConvRnntNetwork(
        layers=1,
        units=4,
        projection=3,
        width=4,
        local_channels=(2,),
        local_kernel=1,
        global_blocks=1,
        global_kernel=1,
    ),
]


def encoder(model: TransducerModel) -> Network:
    spec = model.spec
    kind, ahead = spec.network.kind, model.encoder.look_ahead
    shape = EncoderShape(
        inputs=spec.inputs, look_ahead=ahead, kind=kind, joiner=spec.joiner, channels=output_channels(model)
    )
    return Network(encoder_onnx(model), shape, "encoder.onnx", output=ENCODED)


def steps_of(model: TransducerModel) -> StepNetworks:
    sessions = [open_session(data, "a file") for data in (predictor_onnx(model), joiner_onnx(model))]
    return StepNetworks(*sessions, width=model.spec.joiner, outputs=model.spec.outputs)


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=8, deadline=None)
@given(counts=st.lists(st.integers(1, 9), max_size=6), block=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_encoder_in_chunks_is_torchs(network: NetworkSection, counts: list[int], block: int, seed: int) -> None:
    model = transducer(network=network, seed=seed)
    frames = torch.randn(30, INPUTS)
    wanted = ModelSteps(model).project(model.encode_whole(frames[None], torch.tensor([30]))[0])
    online, place, found = OnlineNetwork(encoder(model), block), 0, []
    for count in [*counts, 30]:
        found += online.accept(frames[place : place + count].numpy())
        place += count
    found += online.finish()
    assert np.abs(np.concatenate(found) - wanted).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 2, 3])
@settings(max_examples=6, deadline=None)
@given(counts=st.lists(st.integers(1, 9), max_size=6), block=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_separator_in_chunks_is_torchs_on_each_channel(
    channels: int, counts: list[int], block: int, seed: int
) -> None:
    layers = {"mixture_layers": 2, "separation_layers": 1, "recogniser_layers": 2}
    network = SeparatorNetwork(channels=channels, units=6, width=5, **layers)
    model = transducer(network=network, seed=seed, encoder=1.0)  # a larger one makes more of rounding
    frames = torch.randn(30, INPUTS)
    wanted = ModelSteps(model).project(model.encode_whole(frames[None], torch.tensor([30]))[:, 0])
    online, place, found = OnlineNetwork(encoder(model), block), 0, []
    for count in [*counts, 30]:
        found += online.accept(frames[place : place + count].numpy())
        place += count
    found += online.finish()
    assert np.abs(split_channels(np.concatenate(found), channels) - wanted).max() < 1e-4
    assert channels == 1 or np.abs(wanted[0] - wanted[1]).max() > 0.01


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_predictor_and_joiner_are_torchs(predictor: PredictorSection) -> None:
    model = transducer(predictor)
    ours, torchs = steps_of(model), ModelSteps(model)
    (found, state), (wanted, expected) = ours.begin(), torchs.begin()
    frame = np.random.default_rng(0).normal(size=model.spec.joiner).astype(np.float32)
    for labels in ([3, 1], [5, 5, 0, 2], [1]):
        rows = [place % len(found) for place in range(len(labels))]
        found, state = ours.step(labels, rows_of(state, rows))
        wanted, expected = torchs.step(labels, rows_of(expected, rows))
        assert np.abs(found - wanted).max() < 1e-5
        for mine, its in zip(state, expected, strict=True):
            assert mine.shape == its.shape
            assert np.abs(mine - its).max() < 1e-5
        difference = ours.log_probabilities(frame, found) - torchs.log_probabilities(frame, wanted)
        assert np.abs(difference).max() < 1e-5


def test_equal_models_give_equal_files_without_paths() -> None:
    for write in (encoder_onnx, predictor_onnx, joiner_onnx):
        one, other = write(transducer()), write(transducer())
        assert one == other
        check_onnx(one)
        assert not onnx.load_model_from_string(one).metadata_props


def test_a_network_without_nodes_is_refused() -> None:
    network = BlstmNetwork(layers=1, units=4)
    with pytest.raises(
        ValueError, match="of kind 'blstm' can't be exported as ONNX; only 'lstm', 'projected-lstm', "
    ):
        encoder_onnx(transducer(network=network))


@pytest.mark.parametrize(("width", "outputs"), [(9, 8), (8, 7), (9, 6)])
def test_networks_of_other_sizes_are_refused(width: int, outputs: int) -> None:
    model = transducer()
    sessions = [open_session(data, "a file") for data in (predictor_onnx(model), joiner_onnx(model))]
    with pytest.raises(ValueError, match=r".") as refused:
        StepNetworks(*sessions, width=width, outputs=outputs)
    assert "\n" not in str(refused.value)


def test_a_joiner_in_the_place_of_a_predictor_is_refused() -> None:
    joiner = open_session(joiner_onnx(transducer()), "a file")
    with pytest.raises(ValueError, match="no state that can be carried"):
        StepNetworks(joiner, joiner, width=9, outputs=7)
