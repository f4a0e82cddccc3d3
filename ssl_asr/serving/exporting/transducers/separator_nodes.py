"""A separator as nodes of ONNX: what `models/separator.py` computes, for one conversation.

The recogniser encoder runs all output channels as one batch, so its weights are in the file once.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from ssl_asr.models.lstm import Lstm
from ssl_asr.models.separator import NormalisedLstm, Separator
from ssl_asr.serving.exporting.onnx_export import CELL, HIDDEN
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph, add_lstm
from ssl_asr.serving.network import AFTER

_STATES = (HIDDEN, CELL)


def add_separator(graph: OnnxGraph, encoder: Separator) -> str:
    """From `normalised` [1, frames, inputs] to the returned [frames, channels, units].

    `state_0` and `state_1` are h and c [layers, 1, units], in the order of `Separator`.
    """
    section = encoder.section
    layers = [section.mixture_layers, *[section.separation_layers] * section.channels]
    # The recogniser has each layer once for each channel.
    parts = [*[1] * sum(layers), *[section.channels] * section.recogniser_layers]
    sizes = graph.constant("parts", np.array(parts, np.int64))
    for state in _STATES:
        graph.add("Split", [state, sizes], [f"{state}_{number}" for number in range(len(parts))], axis=0)
    graph.add("Transpose", ["normalised"], ["mixture"], perm=(1, 0, 2))
    mixed = _add_layers(graph, encoder.mixture, "encoder.mixture", "mixture", first=0)
    turns = []
    for channel, module in enumerate(encoder.separation):
        assert isinstance(module, NormalisedLstm), "a separator has an LSTM for each channel"
        name, first = f"encoder.separation.{channel}", sum(layers[: channel + 1])
        turns.append(_add_layers(graph, module, name, mixed, first=first))
    graph.add("Concat", turns, ["turns"], axis=1)
    recognised = _add_layers(graph, encoder.recogniser, "encoder.recogniser", "turns", first=sum(layers), turned=True)
    for state in _STATES:
        graph.add("Concat", [f"{state}_{number}{AFTER}" for number in range(len(parts))], [state + AFTER], axis=0)
    return recognised


def _add_layers(
    graph: OnnxGraph, module: NormalisedLstm, name: str, steps: str, *, first: int, turned: bool = False
) -> str:
    """Of [frames, batch, width]; the states of its layers are parts `first` and so on, [1, batch, units].

    `turned`: they are [batch, 1, units].
    """
    for place, (layer, norm) in enumerate(zip(module.layers, module.norms, strict=True)):
        assert isinstance(layer, Lstm), "layers of LSTM, each with its normalisation"
        assert isinstance(norm, nn.LayerNorm)
        states = [f"{state}_{first + place}" for state in _STATES]
        inner = [f"{state}_turned" for state in states] if turned else states
        if turned:
            for outside, inside in zip(states, inner, strict=True):
                graph.add("Transpose", [outside], [inside], perm=(1, 0, 2))
        found, units = f"{name}.{place}.steps", layer.section.units
        add_lstm(graph, f"{name}.layers.{place}.lstm", 0, units, inputs=steps, output=found, states=inner)
        if turned:
            for outside, inside in zip(states, inner, strict=True):
                graph.add("Transpose", [inside + AFTER], [outside + AFTER], perm=(1, 0, 2))
        weights = [graph.constant(f"{name}.norms.{place}.{each}") for each in ("weight", "bias")]
        steps = f"{name}.{place}.normalised"
        graph.add("LayerNormalization", [found, *weights], [steps], axis=-1, epsilon=norm.eps)
    return steps
