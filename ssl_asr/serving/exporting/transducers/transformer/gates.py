"""Arbitrators as nodes of ONNX: hard gates, and which keys the heads have kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from ssl_asr.models.transformer.arbitrators import FeedForwardArbitrator, LstmArbitrator
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.models.transformer.gates import Parts
from ssl_asr.serving.exporting.onnx_graph import add_lstm_layers
from ssl_asr.serving.exporting.transducers.causal_nodes import LAST, CausalNodes
from ssl_asr.serving.exporting.transducers.transformer.chunk import Chunk
from ssl_asr.serving.network import AFTER


@dataclass(frozen=True)
class Gates:
    """Of the layers that an arbitrator decides for, numbered from 0; None stands for a module that always runs.

    They are names of tensors: `decided` bool [T] by layer and gate; by layer and head `kept` bool [1 + F + T], the
    frames for which the head has a key, with a first column that is true, and `kept_from` int64 [1], how many of
    these no later frame sees. Frames are those of `Chunk`.
    """

    parts: Parts
    heads: int
    decided: Sequence[str] = ()
    kept: Sequence[str] = ()
    kept_from: Sequence[str] = ()

    def feed_forward(self, layer: int) -> str | None:
        return self._decided(layer, self.parts.feed_forward, 0)

    def query(self, layer: int, head: int) -> str | None:
        return self._decided(layer, self.parts.queries, head)

    def new_key(self, layer: int, head: int) -> str | None:
        return self._decided(layer, self.parts.keys, head)

    def keys(self, layer: int, head: int) -> tuple[str, str] | None:
        """Of `kept` and `kept_from`."""
        row = layer * self.heads + head
        return (self.kept[row], self.kept_from[row]) if self.kept else None

    def _decided(self, layer: int, part: slice | None, place: int) -> str | None:
        return None if part is None else self.decided[layer * self.parts.count + part.start + place]


def add_gates(nodes: CausalNodes, encoder: Transformer, number: int, read: str, chunk: Chunk) -> Gates:
    """Of the arbitrator `number`, which reads the rows `read` [T, width]; without gating none is off."""
    name, parts, heads = f"encoder.arbitrators.{number}", encoder.parts, encoder.section.heads
    if not encoder.arbitrators:
        return Gates(parts, heads)
    layers = len(encoder.spans[number])
    zero = nodes.graph.constant(f"{name}.zero", np.array(0, np.float32))
    opened = nodes.node("Greater", [_logits(nodes, encoder, number, read), zero], f"{name}.open")
    turned = nodes.node("Transpose", [opened], f"{name}.turned", perm=(1, 0))
    decided = _rows(nodes, turned, layers * parts.count, f"{name}.decided")
    if parts.keys is None:
        return Gates(parts, heads, decided)
    rows = [layer * parts.count + parts.keys.start + head for layer in range(layers) for head in range(heads)]
    fresh = nodes.node("Gather", [turned, nodes.whole(f"{name}.key_rows", *rows)], f"{name}.fresh", axis=0)
    kept, kept_from = _kept(nodes, name, fresh, len(rows), chunk)
    return Gates(
        parts,
        heads,
        decided,
        _rows(nodes, kept, len(rows), f"{name}.kept_rows"),
        _rows(nodes, kept_from, len(rows), f"{name}.kept_from_rows"),
    )


def _kept(nodes: CausalNodes, name: str, fresh: str, rows: int, chunk: Chunk) -> tuple[str, str]:
    """Of all heads [rows, 1 + F + T] and [rows], by gates of the chunk, `fresh` [rows, T]. Those of F are a state."""
    state, axis = nodes.state(rows, None), nodes.whole(f"{name}.axis", 1)
    old = nodes.node("Cast", [state], f"{name}.old", to=TensorProto.BOOL)
    always = nodes.graph.constant(f"{name}.always", np.ones((rows, 1), bool))
    kept = nodes.node("Concat", [always, old, fresh], f"{name}.kept", axis=1)
    seen = nodes.node("Slice", [kept, chunk.kept_from, nodes.whole(f"{name}.last", LAST), axis], f"{name}.seen")
    nodes.node("Cast", [seen], state + AFTER, to=TensorProto.FLOAT)
    unseen = nodes.node("Slice", [kept, nodes.whole(f"{name}.first", 0), chunk.kept_from, axis], f"{name}.unseen")
    counted = nodes.node("Cast", [unseen], f"{name}.counted", to=TensorProto.INT64)
    return kept, nodes.node("ReduceSum", [counted, axis], f"{name}.kept_from", keepdims=0)


def _rows(nodes: CausalNodes, table: str, rows: int, name: str) -> list[str]:
    """Each row of a table, or each value of a list [1]. One node for all: a call of a node takes a microsecond."""
    flat = nodes.node("Reshape", [table, nodes.whole(f"{name}.flat", -1)], f"{name}.all")
    found = [f"{name}.{row}" for row in range(rows)]
    nodes.graph.add("Split", [flat], found, axis=0, num_outputs=rows)
    return found


def _logits(nodes: CausalNodes, encoder: Transformer, number: int, read: str) -> str:
    """[T, layers x gates]"""
    arbitrator, name = encoder.arbitrators[number], f"encoder.arbitrators.{number}"
    if isinstance(arbitrator, FeedForwardArbitrator):
        for place, layer in enumerate(arbitrator.body):
            read = nodes.add(layer, f"{name}.body.{place}", read)
    else:
        assert isinstance(arbitrator, LstmArbitrator), "random gates were refused"
        shape = (arbitrator.body.section.layers, 1, arbitrator.body.section.units)
        states = [nodes.state(*shape) for _ in range(2)]
        one = nodes.whole(f"{name}.one", 1)
        steps = nodes.node("Unsqueeze", [read, one], f"{name}.steps")
        found = add_lstm_layers(
            nodes.graph, f"{name}.body.lstm", (shape[0], shape[2]), inputs=steps, states=states, output=f"{name}.lstm"
        )
        read = nodes.node("Squeeze", [found, one], f"{name}.read")
    return nodes.linear(f"{name}.decide", read)
