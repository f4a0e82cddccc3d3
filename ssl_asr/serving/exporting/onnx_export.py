"""A model as ONNX: frames and state in, log posteriors and the state behind them out; and its 8-bit form.

The graph is a dozen nodes, written one by one. `torch.onnx.export` takes ten seconds, writes this machine's paths
into the file, and in torch 2.13 exports an LSTM with a free number of frames only once in a process.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.lstm import Lstm
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph, add_lstm_layers
from ssl_asr.serving.network import AFTER, FRAMES, LOG_POSTERIORS

HIDDEN, CELL = "state_0", "state_1"


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
    check_exportable(model)
    add_normalisation(graph)
    add_lstm_encoder(graph, model.encoder.section.layers, model.encoder.section.units)
    graph.add("MatMul", ["hidden", graph.constant("senones.weight", transposed=True)], ["weighted"])
    graph.add("Add", ["weighted", graph.constant("senones.bias")], ["logits"])
    graph.add("LogSoftmax", ["logits"], [LOG_POSTERIORS], axis=-1)


def add_normalisation(graph: OnnxGraph) -> None:
    """From `frames` to `normalised`, as `NormalisedEncoder.normalise`."""
    graph.add("Sub", [FRAMES, graph.constant("mean")], ["centred"])
    graph.add("Mul", ["centred", graph.constant("scale")], ["normalised"])


def add_lstm_encoder(graph: OnnxGraph, layers: int, units: int, states: tuple[str, str] = (HIDDEN, CELL)) -> None:
    """From `normalised` to `hidden`, each [streams, frames, width], with h and c [layers, streams, units]."""
    graph.add("Transpose", ["normalised"], ["layer_0"], perm=(1, 0, 2))  # time first
    found = add_lstm_layers(graph, "encoder.lstm", (layers, units), inputs="layer_0", states=states)
    graph.add("Transpose", [found], ["hidden"], perm=(1, 0, 2))


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
