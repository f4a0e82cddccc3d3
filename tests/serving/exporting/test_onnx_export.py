"""The exported network is the model: in one piece and in pieces, and with 8 bits nearly."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import BlstmNetwork, LstmNetwork
from ssl_asr.serving.description import NetworkShape
from ssl_asr.serving.exporting.onnx_export import quantised, to_onnx
from ssl_asr.serving.network import Network

INPUTS, SENONES = 12, 50
SHAPE = NetworkShape(inputs=INPUTS, senones=SENONES, look_ahead=3, kind="lstm")
FRAMES = np.random.default_rng(0).normal(2, 3, (40, INPUTS)).astype(np.float32)


def a_model(seed: int = 0) -> AcousticModel:
    torch.manual_seed(seed)
    model = AcousticModel(ModelSpec(LstmNetwork(layers=2, units=32, dropout=0.3), INPUTS, SENONES))
    model.set_statistics(torch.full((INPUTS,), 2.0), torch.full((INPUTS,), 3.0))
    return model.eval()


@pytest.fixture(scope="module")
def exported() -> bytes:
    return to_onnx(a_model())


def by_torch(frames: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return torch.log_softmax(a_model()(torch.from_numpy(frames)[None], torch.tensor([len(frames)])), -1)[
            0
        ].numpy()


def in_pieces(network: Network, lengths: list[int]) -> np.ndarray:
    state, found = network.initial_state(), []
    for piece in np.split(FRAMES, np.cumsum(lengths)):
        if len(piece):
            posteriors, state = network.run(piece, state)
            found.append(posteriors)
    return np.concatenate(found)


@pytest.mark.parametrize("lengths", [[], [1] * 40, [7, 1, 20], [39]])
def test_it_is_the_model_for_any_chunks(exported: bytes, lengths: list[int]) -> None:
    found = in_pieces(Network(exported, SHAPE, "model.onnx"), lengths)
    assert np.abs(found - by_torch(FRAMES)).max() < 1e-4


def test_equal_models_give_equal_bytes(exported: bytes) -> None:
    assert to_onnx(a_model()) == exported
    assert to_onnx(a_model(1)) != exported


def test_it_says_nothing_of_the_machine_that_made_it(exported: bytes) -> None:
    model = onnx.load_from_string(exported)
    assert b".py" not in exported
    assert {each.op_type for each in model.graph.node} >= {"LSTM", "LogSoftmax"}
    assert not model.graph.value_info


def test_eight_bits_are_close_and_smaller(exported: bytes) -> None:
    small = quantised(exported)
    kinds = {each.op_type for each in onnx.load_from_string(small).graph.node}
    assert "DynamicQuantizeLSTM" in kinds
    difference = np.abs(in_pieces(Network(small, SHAPE, "model.int8.onnx"), [40]) - by_torch(FRAMES))
    assert 0 < difference.max() < 0.2
    assert len(small) < 0.6 * len(exported)


def test_a_network_that_needs_whole_utterances_is_not_exported() -> None:
    model = AcousticModel(ModelSpec(BlstmNetwork(layers=1, units=4), INPUTS, SENONES))
    with pytest.raises(ValueError, match="can't be exported as ONNX; only"):
        to_onnx(model)


def test_a_network_with_a_state_that_no_machine_holds_is_refused() -> None:
    inputs = {"frames": (1, "frames", INPUTS), "state": (1, 1, 10**9)}
    outputs = {"log_posteriors": (1, "frames", INPUTS), "state_after": (1, 1, 10**9)}
    nodes = [
        helper.make_node("LogSoftmax", ["frames"], ["log_posteriors"]),
        helper.make_node("Add", ["state"] * 2, ["state_after"]),
    ]
    infos = [
        [helper.make_tensor_value_info(*each[:1], TensorProto.FLOAT, each[1]) for each in side.items()]
        for side in (inputs, outputs)
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "large", *infos), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    with pytest.raises(ValueError, match="is no streaming network of a bundle"):
        Network(model.SerializeToString(), SHAPE, "model.onnx")


def test_a_state_that_grows_without_end_is_stopped() -> None:
    """That of an export has a bound; this one's is 50 times as large after each pass."""
    shapes = {"frames": (1, "frames", INPUTS), "state": (1, "kept", INPUTS)}
    after = {"log_posteriors": (1, "frames", INPUTS), "state_after": (1, "kept_after", INPUTS)}
    nodes = [
        helper.make_node("LogSoftmax", ["frames"], ["log_posteriors"]),
        helper.make_node("Concat", ["state"] * 50 + ["frames"], ["state_after"], axis=1),
    ]
    infos = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
        for side in (shapes, after)
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "growing", *infos), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    shape = SHAPE.model_copy(update={"senones": INPUTS})
    network = Network(model.SerializeToString(), shape, "model.onnx")
    state = network.initial_state()
    assert [each.shape for each in state] == [(1, 0, INPUTS)]
    for _ in range(4):  # 1, 51, 2,551 and 127,551 frames
        _, state = network.run(np.zeros((1, INPUTS), np.float32), state)
    with pytest.raises(
        ValueError, match=r"model\.onnx keeps more than 20,000,000 values of a stream; export it again"
    ):
        network.run(np.zeros((1, INPUTS), np.float32), state)


def test_a_network_of_another_width_is_refused(exported: bytes) -> None:
    with pytest.raises(ValueError, match=r"model\.onnx can't be run"):
        Network(exported, SHAPE.model_copy(update={"inputs": INPUTS + 1}), "model.onnx")
    with pytest.raises(ValueError, match="does not give 51 outputs of 12 inputs"):
        Network(exported, SHAPE.model_copy(update={"senones": SENONES + 1}), "model.onnx")
