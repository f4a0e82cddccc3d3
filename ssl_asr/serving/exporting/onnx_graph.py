"""An ONNX graph that is written node by node, with the weights of a model of torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ssl_asr.serving.network import AFTER

_OPSET, _IR = 18, 9  # that onnxruntime 1.17 and later run
# Rows of torch's gates (input, forget, cell, output) in the order of ONNX (input, output, forget, cell).
_GATES = (0, 3, 1, 2)
Array = npt.NDArray[Any]


@dataclass
class OnnxGraph:
    """Nodes and constants so far; `weights` are those of the model, by name."""

    weights: dict[str, Array]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, model: nn.Module) -> OnnxGraph:
        """Without a node yet."""
        return cls({name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()})

    def add(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))

    def constant(self, name: str, array: Array | None = None, *, transposed: bool = False) -> str:
        """Its name; without `array` it is a weight of the model."""
        kept = self.weights[name] if array is None else array
        kept = np.ascontiguousarray(kept.T if transposed else kept).reshape(kept.shape[:: -1 if transposed else 1])
        self.constants.append(numpy_helper.from_array(kept, name))
        return name

    def serialised(
        self,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        *,
        whole: Collection[str] = (),
        double: Collection[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """The checked model with these shapes of tensors; a text stands for a free size.

        Tensors are float32, but for those named in `whole`, which are int64, and in `double`, which are float64.
        """
        described_inputs, described_outputs = (_described(shapes, whole, double) for shapes in (inputs, outputs))
        graph = helper.make_graph(self.nodes, "streaming", described_inputs, described_outputs, self.constants)
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, producer_name="ssl_asr", ir_version=_IR, opset_imports=opsets)
        helper.set_model_props(model, dict(metadata or {}))
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def _described(shapes: Mapping[str, Any], whole: Collection[str], double: Collection[str]) -> list[Any]:
    kinds = dict.fromkeys(shapes, TensorProto.FLOAT)
    kinds |= dict.fromkeys(shapes.keys() & whole, TensorProto.INT64)
    kinds |= dict.fromkeys(shapes.keys() & double, TensorProto.DOUBLE)
    return [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in shapes.items()]


def add_lstm(
    graph: OnnxGraph, lstm: str, layer: int, units: int, *, inputs: str, output: str, states: Sequence[str]
) -> None:
    """The layer of the LSTM `lstm`, by its name among the weights, from `inputs` [steps, batch, width] to `output`.

    `states` are h and c, each [1, batch, units]; those behind the steps have the same names and AFTER.
    """
    names = [f"{lstm}.{kind}_{side}_l{layer}" for kind in ("weight", "bias") for side in ("ih", "hh")]
    of_inputs, of_hidden, *biases = (_by_gates(graph.weights[name], units) for name in names)
    graph.add(
        "LSTM",
        [
            inputs,
            graph.constant(f"{output}.W", of_inputs[None]),
            graph.constant(f"{output}.R", of_hidden[None]),
            graph.constant(f"{output}.B", np.concatenate(biases)[None]),
            "",  # all sequences are as long as the input
            *states,
        ],
        [f"{output}_directions", *(state + AFTER for state in states)],
        hidden_size=units,
    )
    axes = graph.constant(f"{output}.axes", np.array([1]))
    graph.add("Squeeze", [f"{output}_directions", axes], [output])


def add_lstm_layers(
    graph: OnnxGraph,
    lstm: str,
    section: tuple[int, int],
    *,
    inputs: str,
    states: Sequence[str],
    output: str = "layer",
) -> str:
    """All of its `section` = (layers, units), from `inputs` [steps, batch, width]; returns the name of the outputs.

    `states` are h and c, each [layers, batch, units]. Names of tensors begin with `output`.
    """
    layers, units = section
    for state in states:
        graph.add("Split", [state], [f"{state}_{layer}" for layer in range(layers)], axis=0, num_outputs=layers)
    for layer in range(layers):
        each = [f"{state}_{layer}" for state in states]
        add_lstm(graph, lstm, layer, units, inputs=inputs, output=f"{output}_{layer + 1}", states=each)
        inputs = f"{output}_{layer + 1}"
    for state in states:
        graph.add("Concat", [f"{state}_{layer}{AFTER}" for layer in range(layers)], [state + AFTER], axis=0)
    return inputs


def _by_gates(rows: Array, units: int) -> Array:
    """[4 x units, ...] of torch in the order of ONNX."""
    gates = rows.reshape(4, units, *rows.shape[1:])
    return gates[list(_GATES)].reshape(rows.shape)
