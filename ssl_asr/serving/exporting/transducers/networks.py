"""A transducer as three ONNX files, which a search calls: the encoder by the frame, the others by the label.

As in icefall's exports, the joiner's projections are inside encoder and predictor, so each is computed once.
"""

from __future__ import annotations

import numpy as np

from ssl_asr.models.conv_rnnt import ConvRnnt
from ssl_asr.models.encoder import Encoder
from ssl_asr.models.lstm import Lstm
from ssl_asr.models.projected_lstm import ProjectedLstm
from ssl_asr.models.separator import Separator
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.serving.exporting.onnx_export import CELL, HIDDEN, add_lstm_encoder, add_normalisation
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph, add_lstm_layers
from ssl_asr.serving.exporting.transducers.causal_nodes import CausalNodes
from ssl_asr.serving.exporting.transducers.separator_nodes import add_separator
from ssl_asr.serving.exporting.transducers.transformer.nodes import add_transformer, check_transformer_exportable
from ssl_asr.serving.network import AFTER, FRAMES
from ssl_asr.serving.transducers.networks import ENCODED, LABELS, LOG_PROBABILITIES, PREDICTED
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.predictor import Lstm as LstmPredictor
from ssl_asr.transducer.predictor import Stateless

_MANY = "sequences"


def check_transducer_exportable(model: TransducerModel) -> None:
    """ValueError unless the nodes of its encoder are known; and as `check_transformer_exportable`."""
    kind = model.encoder.section.kind
    if isinstance(model.encoder, Transformer):
        check_transformer_exportable(model.encoder)
    elif not isinstance(model.encoder, Lstm | ProjectedLstm | ConvRnnt | Separator):
        raise ValueError(
            f"a transducer whose network is of kind '{kind}' can't be exported as ONNX; only 'lstm', "
            "'projected-lstm', 'conv-rnnt', 'transformer' and 'separator' can"
        )


def output_channels(model: TransducerModel) -> int:
    """The output channels of a separator, 1 of all others."""
    return model.encoder.section.channels if isinstance(model.encoder, Separator) else 1


def encoder_onnx(model: TransducerModel) -> bytes:
    """`frames` [1, frames, inputs] and `state_0`, ..., which begin as zeros; `encoded` [1, frames, joiner] and
    `state_0_after`, ... The normalisation of the inputs is part of it. Of a separator, `encoded` is
    [1, frames, channels x joiner], channel after channel. Of a Transformer, states have a size that is 0 at the begin
    and grows. ValueError as `check_transducer_exportable`.
    """
    check_transducer_exportable(model)
    graph = OnnxGraph.of(model)
    nodes, encoder = CausalNodes(graph), model.encoder
    add_normalisation(graph)
    hidden = _add_encoder(nodes, encoder)
    width, states = output_channels(model) * model.spec.joiner, nodes.shapes
    if isinstance(encoder, Separator):
        projected = nodes.linear("joiner.encoder_projection", hidden)
        graph.add("Reshape", [projected, graph.constant("beside", np.array([1, -1, width]))], [ENCODED])
    else:
        nodes.linear("joiner.encoder_projection", hidden, ENCODED)
    return graph.serialised(
        {FRAMES: (1, "frames", model.spec.inputs), **states},
        {ENCODED: (1, "frames", width), **{name + AFTER: _after(shape) for name, shape in states.items()}},
        double=[each for name in nodes.double for each in (name, name + AFTER)],
    )


def _add_encoder(nodes: CausalNodes, encoder: Encoder) -> str:
    """From `normalised` to the hidden values, whose name it returns; `nodes.shapes` become those of its states."""
    if isinstance(encoder, Lstm):
        layers, units = encoder.section.layers, encoder.section.units
        add_lstm_encoder(nodes.graph, layers, units)
        nodes.shapes = dict.fromkeys((HIDDEN, CELL), (layers, 1, units))
        return "hidden"
    if isinstance(encoder, Separator):
        nodes.shapes = dict.fromkeys((HIDDEN, CELL), tuple(encoder.initial_state(1)[0].shape))
        return nodes.linear("encoder.output", add_separator(nodes.graph, encoder))
    if isinstance(encoder, ProjectedLstm):
        return nodes.add(encoder.stack, "encoder.stack", "normalised")
    if isinstance(encoder, Transformer):
        return add_transformer(nodes, encoder)
    assert isinstance(encoder, ConvRnnt), "the kinds were checked"
    return _conv_rnnt(nodes, encoder)


def _after(shape: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return tuple(size + AFTER if isinstance(size, str) else size for size in shape)


def _conv_rnnt(nodes: CausalNodes, encoder: ConvRnnt) -> str:
    local = nodes.add(encoder.local_cnn, "encoder.local_cnn", "normalised")
    wide = nodes.add(encoder.global_cnn, "encoder.global_cnn", local)
    nodes.graph.add("Concat", [local, wide], ["both"], axis=2)
    joined = nodes.add(encoder.norm, "encoder.norm", nodes.linear("encoder.join", "both"))
    nodes.graph.add("Add", [joined, nodes.linear("encoder.direct", "normalised")], ["heard"])
    return nodes.add(encoder.recurrent, "encoder.recurrent", "heard")


def predictor_onnx(model: TransducerModel) -> bytes:
    """`labels` int64 [sequences] and the state before them; `predicted` [sequences, joiner] and the state behind.

    Of an LSTM the state is `state_0` and `state_1` [layers, sequences, units], zeros at the begin. Of a stateless
    predictor `state_0` int64 [context, sequences] are the last labels, -1 before the first. Sequences begin with a
    blank.
    """
    graph, predictor = OnnxGraph.of(model), model.predictor
    if isinstance(predictor, LstmPredictor):
        states = _lstm_predictor(graph, predictor)
    else:
        assert isinstance(predictor, Stateless), "the kinds of predictors are known"
        states = _stateless_predictor(graph, predictor)
    projection = graph.constant("joiner.predictor_projection.weight", transposed=True)
    graph.add("MatMul", ["outputs", projection], [PREDICTED])
    whole = [] if isinstance(predictor, LstmPredictor) else [HIDDEN, HIDDEN + AFTER]
    return graph.serialised(
        {LABELS: (_MANY,), **states},
        {PREDICTED: (_MANY, model.spec.joiner), **{name + AFTER: shape for name, shape in states.items()}},
        whole=[LABELS, *whole],
    )


def _lstm_predictor(graph: OnnxGraph, predictor: LstmPredictor) -> dict[str, tuple[int | str, ...]]:
    layers, units = predictor.section.layers, predictor.section.units
    graph.add("Gather", [graph.constant("predictor.embedding.weight"), LABELS], ["embedded"])
    first = graph.constant("first", np.array([0]))
    graph.add("Unsqueeze", ["embedded", first], ["steps"])  # one step
    found = add_lstm_layers(graph, "predictor.lstm", (layers, units), inputs="steps", states=(HIDDEN, CELL))
    graph.add("Squeeze", [found, first], ["outputs"])
    return dict.fromkeys((HIDDEN, CELL), (layers, _MANY, units))


def _stateless_predictor(graph: OnnxGraph, predictor: Stateless) -> dict[str, tuple[int | str, ...]]:
    section, first = predictor.section, graph.constant("first", np.array([0]))
    graph.add("Unsqueeze", [LABELS, first], ["newest"])
    begin, end = graph.constant("begin", np.array([1])), graph.constant("end", np.array([section.context]))
    graph.add("Slice", [HIDDEN, begin, end, first], ["kept"])
    graph.add("Concat", ["kept", "newest"], [HIDDEN + AFTER], axis=0)
    graph.add("Transpose", [HIDDEN + AFTER], ["last"], perm=(1, 0))
    add_stateless_outputs(graph, predictor, "last")
    return {HIDDEN: (section.context, _MANY)}


def add_stateless_outputs(graph: OnnxGraph, predictor: Stateless, last: str) -> None:
    """From the last labels, `last` [sequences, context] with -1 before the first, to `outputs` [sequences, width]."""
    # Where there was no label its number is -1, the table's last row.
    table = graph.weights["predictor.embedding.weight"]
    padded = graph.constant("embedding", np.concatenate([table, np.zeros_like(table[:1])]))
    graph.add("Gather", [padded, last], ["embedded"])
    graph.add("Transpose", ["embedded"], ["channels_first"], perm=(0, 2, 1))
    weights = graph.constant("predictor.convolution.weight")
    graph.add("Conv", ["channels_first", weights], ["convolved"], group=predictor.convolution.groups)
    graph.add("Squeeze", ["convolved", graph.constant("time", np.array([2]))], ["squeezed"])
    graph.add("Relu", ["squeezed"], ["outputs"])


def joiner_onnx(model: TransducerModel) -> bytes:
    """`encoded` [1, joiner] and `predicted` [sequences, joiner]; `log_probabilities` [sequences, outputs]."""
    graph, width, outputs = OnnxGraph.of(model), model.spec.joiner, model.spec.outputs
    graph.add("Add", [ENCODED, PREDICTED], ["sum"])
    graph.add("Tanh", ["sum"], ["joined"])
    graph.add("MatMul", ["joined", graph.constant("joiner.output.weight", transposed=True)], ["weighted"])
    graph.add("Add", ["weighted", graph.constant("joiner.output.bias")], ["logits"])
    graph.add("LogSoftmax", ["logits"], [LOG_PROBABILITIES], axis=-1)
    return graph.serialised({ENCODED: (1, width), PREDICTED: (_MANY, width)}, {LOG_PROBABILITIES: (_MANY, outputs)})
