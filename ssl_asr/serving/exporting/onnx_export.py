"""A model as ONNX: frames and state in, log posteriors and the state behind them out; and its 8-bit form.

The graph is a dozen nodes, written one by one. `torch.onnx.export` takes ten seconds, writes this machine's paths
into the file, and in torch 2.13 exports an LSTM with a free number of frames only once in a process.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.lstm import Lstm
from ssl_asr.serving.network import AFTER, FRAMES, LOG_POSTERIORS

_OPSET, _IR = 18, 9  # that onnxruntime 1.17 and later run
HIDDEN, CELL = "state_0", "state_1"
# Rows of torch's gates (input, forget, cell, output) in the order of ONNX (input, output, forget, cell).
_GATES = (0, 3, 1, 2)
Array = npt.NDArray[Any]


def to_onnx(model: AcousticModel) -> bytes:
    """`frames` [1, frames, inputs], `state_0` and `state_1` [layers, 1, units], which are h and c, zero at the begin;
    `log_posteriors` [1, frames, senones], `state_0_after` and `state_1_after`.

    The normalisation of the inputs is part of it. Equal models give equal bytes. ValueError unless the encoder is an
    LSTM that runs forwards only.
    """
    graph = OnnxGraph.of(model)
    add_network(graph, model)
    section = model.encoder.section
    state_shape = (section.layers, 1, section.units)
    return graph.serialised(
        {FRAMES: (1, "frames", model.spec.inputs), HIDDEN: state_shape, CELL: state_shape},
        {
            LOG_POSTERIORS: (1, "frames", model.spec.outputs),
            HIDDEN + AFTER: state_shape,
            CELL + AFTER: state_shape,
        },
    )


def check_exportable(model: AcousticModel) -> None:
    """ValueError unless the encoder is an LSTM that runs forwards only."""
    kind = model.encoder.section.kind
    if not isinstance(model.encoder, Lstm):
        raise ValueError(f"a network of kind '{kind}' can't be exported as ONNX; only 'lstm' can")


def add_network(graph: OnnxGraph, model: AcousticModel) -> None:
    """The nodes from `frames` [streams, frames, inputs] and h and c of before to `log_posteriors` and those behind.

    ValueError unless the encoder is an LSTM that runs forwards only.
    """
    encoder = model.encoder
    check_exportable(model)
    layers, units = encoder.section.layers, encoder.section.units
    graph.add("Sub", [FRAMES, graph.constant("mean")], ["centred"])
    graph.add("Mul", ["centred", graph.constant("scale")], ["normalised"])
    graph.add("Transpose", ["normalised"], ["layer_0"], perm=(1, 0, 2))  # time first
    for state in (HIDDEN, CELL):
        graph.add("Split", [state], [f"{state}_{layer}" for layer in range(layers)], axis=0, num_outputs=layers)
    for layer in range(layers):
        _add_lstm(graph, layer, units)
    for state in (HIDDEN, CELL):
        graph.add("Concat", [f"{state}_{layer}{AFTER}" for layer in range(layers)], [state + AFTER], axis=0)
    graph.add("Transpose", [f"layer_{layers}"], ["hidden"], perm=(1, 0, 2))
    graph.add("MatMul", ["hidden", graph.constant("senones.weight", transposed=True)], ["weighted"])
    graph.add("Add", ["weighted", graph.constant("senones.bias")], ["logits"])
    graph.add("LogSoftmax", ["logits"], [LOG_POSTERIORS], axis=-1)


@dataclass
class OnnxGraph:
    """Nodes and constants so far; `weights` are those of the model, by name."""

    weights: dict[str, Array]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, model: AcousticModel) -> OnnxGraph:
        """Without a node yet."""
        return cls({name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()})

    def add(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))

    def constant(self, name: str, array: Array | None = None, *, transposed: bool = False) -> str:
        """Its name; without `array` it is a weight of the model."""
        kept = self.weights[name] if array is None else array
        kept = np.ascontiguousarray(kept.T if transposed else kept)
        self.constants.append(numpy_helper.from_array(kept, name))
        return name

    def serialised(
        self,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        *,
        whole: Collection[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """The checked model with these shapes of tensors; a text stands for a free size.

        Tensors are float32, but for those named in `whole`, which are int64.
        """

        def described(shapes: dict[str, Any]) -> list[Any]:
            kinds = {name: TensorProto.INT64 if name in whole else TensorProto.FLOAT for name in shapes}
            return [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in shapes.items()]

        graph = helper.make_graph(
            self.nodes,
            "streaming",
            described(inputs),
            described(outputs),
            self.constants,
        )
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, producer_name="ssl_asr", ir_version=_IR, opset_imports=opsets)
        helper.set_model_props(model, dict(metadata or {}))
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def _add_lstm(graph: OnnxGraph, layer: int, units: int) -> None:
    """From "layer_<n>" [frames, 1, width] to the next one."""
    names = [f"encoder.lstm.{kind}_{side}_l{layer}" for kind in ("weight", "bias") for side in ("ih", "hh")]
    of_inputs, of_hidden, *biases = (_by_gates(graph.weights[name], units) for name in names)
    before, after = f"layer_{layer}", f"layer_{layer + 1}"
    states = [f"{state}_{layer}" for state in (HIDDEN, CELL)]
    graph.add(
        "LSTM",
        [
            before,
            graph.constant(f"{after}.W", of_inputs[None]),
            graph.constant(f"{after}.R", of_hidden[None]),
            graph.constant(f"{after}.B", np.concatenate(biases)[None]),
            "",  # all sequences are as long as the input
            *states,
        ],
        [f"{after}_directions", *(state + AFTER for state in states)],
        hidden_size=units,
    )
    axes = graph.constant(f"{after}.axes", np.array([1]))
    graph.add("Squeeze", [f"{after}_directions", axes], [after])


def _by_gates(rows: Array, units: int) -> Array:
    """[4 x units, ...] of torch in the order of ONNX."""
    gates = rows.reshape(4, units, *rows.shape[1:])
    return gates[list(_GATES)].reshape(rows.shape)


def quantised(model: bytes) -> bytes:
    """The same network with weights of 8 bits, a scale for each row, and activations quantised as they come.

    Weights use 7 bits of their range: with all 8, sums overflow on processors without VNNI, and the cell state is
    wrong (Intel's and onnxruntime's `reduce_range`).
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, result = Path(folder) / "model.onnx", Path(folder) / "model.int8.onnx"
        whole.write_bytes(model)
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it advises a preparation that this graph does not need
        try:
            quantize_dynamic(
                whole,
                result,
                op_types_to_quantize=["LSTM", "MatMul"],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(level)
        found = onnx.load(result)
    left = sorted({node.op_type for node in found.graph.node} & {"LSTM", "MatMul"})
    assert not left, f"onnxruntime did not quantise {left}"
    data: bytes = found.SerializeToString(deterministic=True)
    return data
