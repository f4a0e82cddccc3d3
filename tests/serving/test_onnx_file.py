"""Files that onnxruntime would run, and that no export writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import LstmNetwork
from ssl_asr.serving.exporting.onnx_export import quantised, to_onnx
from ssl_asr.serving.onnx_file import check_onnx


@pytest.fixture(scope="module")
def exported() -> bytes:
    torch.manual_seed(0)
    return to_onnx(AcousticModel(ModelSpec(LstmNetwork(layers=2, units=8), 6, 5)).eval())


def test_what_is_exported_is_let_through(exported: bytes) -> None:
    check_onnx(exported)
    check_onnx(quantised(exported))


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def placed_elsewhere(model: Any) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def looping(model: Any) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["a"], body=body))


def within(model: Any) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("body", helper.make_graph([], "b", [], [])))


def foreign(model: Any) -> None:
    model.graph.node.append(helper.make_node("PyOp", ["frames"], ["a"], domain="ai.onnx.contrib"))


def function(model: Any) -> None:
    inner = helper.make_node("Sub", ["a", "b"], ["c"])
    model.functions.append(
        helper.make_function("mine", "Mul", ["a", "b"], ["c"], [inner], [helper.make_opsetid("", 18)])
    )


def sparse(model: Any) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64)), [1 << 40])
    )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (external, "the field 13 in a tensor"),
        (placed_elsewhere, "it keeps weights in other files"),
        (looping, "which no export writes"),
        (within, "the field 6 in an attribute"),
        (foreign, "a node of the kind 'ai.onnx.contrib.PyOp'"),
        (function, "the field 25 in a model"),
        (sparse, "the field 15 in a graph"),
    ],
)
def test_more_than_a_network_is_refused(exported: bytes, damage: Callable[[Any], None], said: str) -> None:
    model = onnx.load_from_string(exported)
    damage(model)
    with pytest.raises(ValueError, match=r"^it ") as refused:
        check_onnx(model.SerializeToString())
    assert said in str(refused.value)


def test_long_forms_of_numbers_hide_nothing() -> None:
    """A protobuf reader takes 1 in ten bytes too: a tensor (graph 7, tensor 5) with the place (14) EXTERNAL (1)."""
    place = b"\xf0\x80\x00\x81\x80\x80\x00"
    tensor = b"\xaa\x80\x00" + bytes([len(place)]) + place
    with pytest.raises(ValueError, match="it keeps weights in other files"):
        check_onnx(b"\xba\x80\x00" + bytes([len(tensor)]) + tensor)


@pytest.mark.parametrize(
    "data", [b"\x80\x04\x95 no pickle", b"\xff" * 30, b"\x3a\x05abc", b"\x38\x01", b"\x3b", b"%PDF"]
)
def test_what_is_no_onnx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        check_onnx(data)
