"""Attention of a Transformer as nodes of ONNX: of all heads at once, or head by head where gates may be off.

Head by head, keys and values of frames whose gate is off are not computed and enter no cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssl_asr.models.transformer.block import Block
from ssl_asr.serving.exporting.onnx_graph import Array
from ssl_asr.serving.exporting.transducers.causal_nodes import LAST, CausalNodes
from ssl_asr.serving.exporting.transducers.transformer.chunk import Chunk
from ssl_asr.serving.exporting.transducers.transformer.gates import Gates
from ssl_asr.serving.network import AFTER


@dataclass(frozen=True)
class Layer:
    """`name` is its block's among the weights; `number` counts from the first one that its arbitrator decides for."""

    nodes: CausalNodes
    block: Block
    name: str
    number: int
    gates: Gates
    chunk: Chunk

    def taken(self, rows: str, gate: str | None, output: str) -> str:
        """The rows whose gate is on."""
        return rows if gate is None else self.nodes.node("Compress", [rows, gate], output, axis=0)

    def added(self, rows: str, more: str, gate: str | None, output: str) -> str:
        """`rows` and `more` of those whose gate is on."""
        if gate is None:
            return self.nodes.node("Add", [rows, more], output)
        places = self.taken(self.chunk.places, gate, f"{output}.places")
        return self.nodes.node("ScatterND", [rows, places, more], output, reduction="add")

    def product(self, rows: str, weight: Array, bias: Array, output: str) -> str:
        """With a matrix whose rows are outputs, as of nn.Linear."""
        graph = self.nodes.graph
        weighted = self.nodes.node(
            "MatMul", [rows, graph.constant(f"{output}.weight", weight, transposed=True)], f"{output}.in"
        )
        return self.nodes.node("Add", [weighted, graph.constant(f"{output}.bias", bias)], output)

    def weights(self, name: str) -> tuple[Array, Array]:
        """Matrix and bias."""
        known = self.nodes.graph.weights
        return known[f"{self.name}.{name}.weight"], known[f"{self.name}.{name}.bias"]

    def constant(self, name: str, array: Array) -> str:
        return self.nodes.graph.constant(f"{self.name}.{name}", array)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        return self.nodes.node(kind, inputs, f"{self.name}.{output}", **attributes)

    def carried(self, state: str, new: str, begin: str, axis: int, nothing: str = "") -> str:
        """The state with what is new, of which all from `begin` on is the state after; and `nothing` in front."""
        inputs = [nothing, state, new] if nothing else [state, new]
        joined = self.node("Concat", inputs, f"{state}.joined", axis=axis)
        ends = [self.nodes.whole(f"{self.name}.{state}.{name}", n) for name, n in (("last", LAST), ("axis", axis))]
        self.nodes.node("Slice", [joined, begin, *ends], state + AFTER)
        return joined


def add_attention(layer: Layer, hidden: str) -> str:
    """Rows [T, width] with what attention adds."""
    normed = layer.nodes.add(layer.block.attention_norm, f"{layer.name}.attention_norm", hidden)
    if not layer.chunk.by_head:
        return _all_heads(layer, normed, hidden)
    for head in range(layer.block.heads):
        hidden = _one_head(layer, head, normed, hidden)
    return hidden


def _all_heads(layer: Layer, normed: str, hidden: str) -> str:
    heads, size = layer.block.heads, layer.block.head
    weight, bias = layer.weights("queries")
    scale = size**-0.5
    queries = _by_head(layer, layer.product(normed, weight * scale, bias * scale, f"{layer.name}.queries"), heads)
    weight, bias = (_keys_first(each, heads) for each in layer.weights("keys_values"))
    both = _by_head(layer, layer.product(normed, weight, bias, f"{layer.name}.keys_values"), 2 * heads)
    parts = [f"{layer.name}.{name}" for name in ("new_keys", "new_values")]
    layer.nodes.graph.add("Split", [both], parts, axis=0, num_outputs=2)
    keys, values = (
        layer.carried(layer.nodes.state(heads, None, size), new, layer.chunk.kept_from, 1) for new in parts
    )
    turned = layer.node("Transpose", [keys], "turned_keys", perm=(0, 2, 1))
    products = layer.node("MatMul", [queries, turned], "products")
    heard = _heard(layer, layer.node("Add", [products, layer.chunk.bias], "logits"), values, "all")
    rows = layer.node("Transpose", [heard], "heard_rows", perm=(1, 0, 2))
    flat = layer.node("Reshape", [rows, layer.nodes.whole(f"{layer.name}.flat", 0, heads * size)], "heard")
    out = layer.node(
        "MatMul", [flat, layer.constant("out", layer.nodes.graph.weights[f"{layer.name}.out"])], "attended"
    )
    return layer.node("Add", [hidden, out], "after_attention")


def _by_head(layer: Layer, rows: str, heads: int) -> str:
    """[T, heads x size] as [heads, T, size]."""
    shape = layer.nodes.whole(f"{rows}.shape", 0, heads, layer.block.head)
    split = layer.nodes.node("Reshape", [rows, shape], f"{rows}.split")
    return layer.nodes.node("Transpose", [split], f"{rows}.by_head", perm=(1, 0, 2))


def _keys_first(rows: Array, heads: int) -> Array:
    """Of rows in the order of heads, each with its key and value: the keys of all heads, then the values."""
    split = rows.reshape(heads, 2, -1, *rows.shape[1:])
    return np.swapaxes(split, 0, 1).reshape(rows.shape)


def _one_head(layer: Layer, head: int, normed: str, hidden: str) -> str:
    name, gate = f"{layer.name}.head.{head}", layer.gates.query(layer.number, head)
    size, graph = layer.block.head, layer.nodes.graph
    keys, values, bias = _cached(layer, head, normed)
    span, scale = slice(head * size, (head + 1) * size), size**-0.5
    rows = layer.taken(normed, gate, f"{name}.rows")
    weight, offset = (each[span] * scale for each in layer.weights("queries"))
    queries = layer.product(rows, weight, offset, f"{name}.queries")
    bias = layer.taken(bias, gate, f"{name}.bias_rows")
    logits = layer.nodes.node("Gemm", [queries, keys, bias], f"{name}.logits", transB=1)
    heard = _heard(layer, logits, values, f"head.{head}")
    out = graph.constant(f"{name}.out", graph.weights[f"{layer.name}.out"][span])
    more = layer.nodes.node("MatMul", [heard, out], f"{name}.added")
    return layer.added(hidden, more, gate, f"{name}.after")


def _cached(layer: Layer, head: int, normed: str) -> tuple[str, str, str]:
    """The head's keys and values [1 + its keys, size], of which the first is none; and their bias [T, as many]."""
    name, size, nodes = f"{layer.name}.head.{head}", layer.block.head, layer.nodes
    gate, kept = layer.gates.new_key(layer.number, head), layer.gates.keys(layer.number, head)
    rows = layer.taken(normed, gate, f"{name}.key_rows")
    span = slice(2 * head * size, 2 * (head + 1) * size)
    weight, offset = (each[span] for each in layer.weights("keys_values"))
    parts = [f"{name}.new_keys", f"{name}.new_values"]
    both = layer.product(rows, weight, offset, f"{name}.keys_values")
    nodes.graph.add("Split", [both], parts, axis=1, num_outputs=2)
    begin = layer.chunk.kept_from if kept is None else kept[1]
    nothing = layer.constant(f"head.{head}.nothing", np.zeros((1, size), np.float32))
    keys, values = (layer.carried(nodes.state(None, size), new, begin, 0, nothing) for new in parts)
    bias = layer.chunk.by_head[head]
    if kept is not None:
        bias = nodes.node("Compress", [bias, kept[0]], f"{name}.kept_bias", axis=1)
    return keys, values, bias


def _heard(layer: Layer, logits: str, values: str, name: str) -> str:
    """What queries find [..., T, size], of values [..., C, size]."""
    shares = layer.node("Softmax", [logits], f"{name}.shares", axis=-1)
    return layer.node("MatMul", [shares, values], f"{name}.heard")
