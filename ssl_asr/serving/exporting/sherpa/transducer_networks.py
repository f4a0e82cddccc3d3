"""A transducer as the three ONNX files that sherpa-onnx reads as a `zipformer2` transducer: encoder, decoder, joiner.

The encoder holds everything behind the filter bank, with its state, as `network.py` does. sherpa-onnx knows neither a
look-ahead nor free frames: so encoder outputs have one more value, 1 for frames that stand for no audio, and where it
is set the joiner lets nothing but blank win.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ssl_asr.frontend.stacking import STACK
from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.models.lstm import Lstm
from ssl_asr.models.projected_lstm import ProjectedLstm
from ssl_asr.serving.exporting.onnx_export import add_lstm_encoder, add_normalisation
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph
from ssl_asr.serving.exporting.sherpa.carried import UNUSED, state_shapes, zipformer_metadata
from ssl_asr.serving.exporting.sherpa.front_end import BEFORE, ENERGIES, FrontEnd, add_front_end, sums
from ssl_asr.serving.exporting.transducers.causal_nodes import CausalNodes
from ssl_asr.serving.exporting.transducers.networks import add_stateless_outputs
from ssl_asr.serving.network import AFTER
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.predictor import Stateless

ENCODED, DECODED, LOGITS, LAST_LABELS = "encoder_out", "decoder_out", "logits", "y"
_HIDDEN, _CELL = "lstm_hidden", "lstm_cell"  # of all layers, [layers, streams, units]
_SURE = 1e4  # added to the logit of blank where there is no audio


def check_for_sherpa(model: TransducerModel) -> None:
    """ValueError unless sherpa-onnx can run such a transducer."""
    if not isinstance(model.encoder, Lstm | ProjectedLstm):
        kind = model.encoder.section.kind
        raise ValueError(
            f"a transducer whose network is of kind '{kind}' can't be exported for sherpa-onnx; only 'lstm' and "
            "'projected-lstm' can"
        )
    if not isinstance(model.predictor, Stateless):
        kind = model.predictor.section.kind
        raise ValueError(
            f"a transducer whose predictor is of kind '{kind}' can't be exported for sherpa-onnx; train one with "
            "predictor.kind=stateless"
        )


def encoder_for_sherpa(model: TransducerModel, front: FrontEnd) -> bytes:
    """Energies [streams, frames, bins] in, `encoder_out` [streams, 30 ms frames, joiner + 1] out, and the state.

    ValueError as `check_for_sherpa`.
    """
    check_for_sherpa(model)
    graph = OnnxGraph.of(model)
    add_front_end(graph, front)
    add_normalisation(graph)
    layers, units = _add_encoder(graph, model)
    CausalNodes(graph).linear("joiner.encoder_projection", "hidden", "projected")
    _add_no_audio(graph, front, model.encoder.look_ahead)
    graph.add("Concat", ["projected", "no_audio"], [ENCODED], axis=2)
    for name in UNUSED:
        graph.add("Identity", [name], [name + AFTER])
    bins = front.frontend.mel_bins
    sizes = {"layers": layers, "units": units, "carried": sums(front.frontend)}
    # As sherpa-onnx computes the width that two strided convolutions would leave of the bins.
    state = state_shapes(_HIDDEN, _CELL, **sizes, embedding=((bins - 1) // 2 - 1) // 2)
    encoded = {ENCODED: ("streams", front.frames // STACK, model.spec.joiner + 1)}
    return graph.serialised(
        {ENERGIES: ("streams", front.frames, bins), **state},
        {**encoded, **{name + AFTER: shape for name, shape in state.items()}},
        whole=(BEFORE, BEFORE + AFTER),
        metadata=zipformer_metadata(**sizes, frames=front.frames),
    )


def _add_encoder(graph: OnnxGraph, model: TransducerModel) -> tuple[int, int]:
    """From `normalised` to `hidden`; returns the layers and units whose h and c are carried."""
    encoder = model.encoder
    layers, units = encoder.section.layers, encoder.section.units
    if isinstance(encoder, Lstm):
        add_lstm_encoder(graph, layers, units, states=(_HIDDEN, _CELL))
        return layers, units
    assert isinstance(encoder, ProjectedLstm), "the kinds were checked"
    for place, name in enumerate((_HIDDEN, _CELL)):  # the stack has h and c of each layer in turn
        own = [f"state_{2 * layer + place}" for layer in range(layers)]
        graph.add("Split", [name], own, axis=0, num_outputs=layers)
    found = CausalNodes(graph).add(encoder.stack, "encoder.stack", "normalised")
    graph.add("Identity", [found], ["hidden"])
    for place, name in enumerate((_HIDDEN, _CELL)):
        own = [f"state_{2 * layer + place}{AFTER}" for layer in range(layers)]
        graph.add("Concat", own, [name + AFTER], axis=0)
    return layers, units


def _add_no_audio(graph: OnnxGraph, front: FrontEnd, look_ahead: int) -> None:
    """`no_audio` [streams, 30 ms frames, 1]: 1 in the first `look_ahead` frames of a stream, else 0."""
    places = np.arange(front.frames // STACK)[None, :, None] * STACK
    graph.add("Unsqueeze", [BEFORE, graph.constant("output_sides", np.array([1, 2]))], ["chunk_begin"])
    graph.add("Add", ["chunk_begin", graph.constant("places", places)], ["output_frames"])
    first = graph.constant("first_frames", np.array([look_ahead * STACK]))
    graph.add("Less", ["output_frames", first], ["is_before"])
    graph.add("Cast", ["is_before"], ["no_audio"], to=TensorProto.FLOAT)


def decoder_for_sherpa(model: TransducerModel) -> bytes:
    """`y` int64 [sequences, context], the last labels, -1 before the first; `decoder_out` [sequences, joiner]."""
    graph, predictor = OnnxGraph.of(model), model.predictor
    assert isinstance(predictor, Stateless), "the kinds were checked"
    add_stateless_outputs(graph, predictor, LAST_LABELS)
    projection = graph.constant("joiner.predictor_projection.weight", transposed=True)
    graph.add("MatMul", ["outputs", projection], [DECODED])
    return graph.serialised(
        {LAST_LABELS: ("sequences", predictor.section.context)},
        {DECODED: ("sequences", model.spec.joiner)},
        whole=[LAST_LABELS],
        metadata={"context_size": str(predictor.section.context), "vocab_size": str(model.spec.outputs)},
    )


def joiner_for_sherpa(model: TransducerModel) -> bytes:
    """`encoder_out` [sequences, joiner + 1] and `decoder_out` [sequences, joiner]; `logits` [sequences, outputs]."""
    graph, width, outputs = OnnxGraph.of(model), model.spec.joiner, model.spec.outputs
    graph.add("Split", [ENCODED, graph.constant("parts", np.array([width, 1]))], ["encoded", "no_audio"], axis=1)
    graph.add("Add", ["encoded", DECODED], ["sum"])
    graph.add("Tanh", ["sum"], ["joined"])
    graph.add("MatMul", ["joined", graph.constant("joiner.output.weight", transposed=True)], ["weighted"])
    graph.add("Add", ["weighted", graph.constant("joiner.output.bias")], ["heard"])
    blank = np.zeros(outputs, np.float32)
    blank[BLANK_ID] = _SURE
    graph.add("Mul", ["no_audio", graph.constant("blank", blank)], ["only_blank"])
    graph.add("Add", ["heard", "only_blank"], [LOGITS])
    return graph.serialised(
        {ENCODED: ("sequences", width + 1), DECODED: ("sequences", width)},
        {LOGITS: ("sequences", outputs)},
        metadata={"joiner_dim": str(width + 1)},
    )
