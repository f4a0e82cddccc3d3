"""What all layers of a Transformer need of a chunk: which frames each frame looks back at, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from onnx import TensorProto

from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.serving.exporting.transducers.causal_nodes import CausalNodes
from ssl_asr.serving.network import AFTER

# Frames before its own that a frame of an unbounded Transformer sees in a bundle: more than an utterance of 30 s has,
# the longest that a recipe takes unless told otherwise. Without a bound a stream would take ever more memory.
MOST_CONTEXT: Final = 1024
# What is added to logits: of no key, which counts only where a head has none; and of keys that a frame does not see.
NOTHING, UNSEEN = -1e9, -2e9


@dataclass(frozen=True)
class Chunk:
    """Names of tensors. Its T frames come behind F frames that are looked back at.

    `places` int64 [T, 1] are the numbers of its rows. `bias` [heads, T, F + T] is added to logits. For attention head
    by head, `by_head` is that of each [T, 1 + F + T]: a first column stands for no key. `kept_from` int64 [1] is the
    first of these columns that later frames see, which is never that of no key.
    """

    places: str
    bias: str
    kept_from: str
    by_head: Sequence[str] = ()


def context_of(encoder: Transformer) -> int:
    """Frames before its own that a frame sees in a bundle."""
    return encoder.section.left_context or MOST_CONTEXT


def add_chunk(nodes: CausalNodes, encoder: Transformer, frames: str) -> Chunk:
    """Of `frames` [T, inputs]; by head where their gates may be off. F is a state, [1]."""
    context = nodes.whole("chunk.context", context_of(encoder))
    first, one = nodes.whole("chunk.first", 0), nodes.whole("chunk.one", 1)
    zero, step = (nodes.graph.constant(f"chunk.{name}", np.array(n)) for name, n in (("zero", 0), ("step", 1)))
    state = nodes.state(1)
    before = nodes.node("Cast", [state], "chunk.before", to=TensorProto.INT64)
    length = nodes.node("Shape", [frames], "chunk.length", start=0, end=1)
    total = nodes.node("Add", [before, length], "chunk.total")
    seen = nodes.node("Min", [total, context], "chunk.seen")
    nodes.node("Cast", [seen], state + AFTER, to=TensorProto.FLOAT)
    dropped = nodes.node("Sub", [total, seen], "chunk.dropped")
    ends = [nodes.node("Squeeze", [each, first], f"{each}.scalar") for each in (before, length)]
    oldest = nodes.node("Sub", [zero, ends[0]], "chunk.oldest")
    columns = nodes.node("Range", [oldest, ends[1], step], "chunk.columns")
    steps = nodes.node("Range", [zero, ends[1], step], "chunk.steps")
    places = nodes.node("Unsqueeze", [steps, one], "chunk.places")
    bias = _bias(nodes, encoder, places, columns)
    if encoder.parts.queries is None and encoder.parts.keys is None:
        return Chunk(places, bias, dropped)
    kept_from = nodes.node("Add", [dropped, one], "chunk.kept_from")
    return Chunk(places, bias, kept_from, _by_head(nodes, bias, encoder.section.heads))


def _by_head(nodes: CausalNodes, bias: str, heads: int) -> list[str]:
    """With a column of no key."""
    pads = nodes.whole("chunk.pads", 0, 0, 1, 0, 0, 0)
    nothing = nodes.graph.constant("chunk.nothing", np.array(NOTHING, np.float32))
    padded = nodes.node("Pad", [bias, pads, nothing], "chunk.padded")
    rows = [nodes.graph.constant(f"chunk.head.{head}", np.array(head)) for head in range(heads)]
    return [nodes.node("Gather", [padded, row], f"{row}.bias") for row in rows]


def _bias(nodes: CausalNodes, encoder: Transformer, places: str, columns: str) -> str:
    """[heads, T, F + T]. What a slope takes for a frame's own place is left out: it is the same for all its keys."""
    slopes = nodes.graph.constant("chunk.slopes", encoder.slopes.numpy()[:, None, None])
    numbers = nodes.node("Cast", [columns], "chunk.numbers", to=TensorProto.FLOAT)
    sloping = nodes.node("Mul", [slopes, numbers], "chunk.sloping")
    oldest = nodes.node("Sub", [places, nodes.whole("chunk.window", context_of(encoder))], "chunk.window_begin")
    in_past = nodes.node("LessOrEqual", [columns, places], "chunk.in_past")
    in_window = nodes.node("GreaterOrEqual", [columns, oldest], "chunk.in_window")
    seen = nodes.node("And", [in_past, in_window], "chunk.is_seen")
    unseen = nodes.graph.constant("chunk.unseen", np.array(UNSEEN, np.float32))
    return nodes.node("Where", [seen, sloping, unseen], "chunk.bias")
