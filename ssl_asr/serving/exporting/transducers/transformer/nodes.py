"""A Transformer as nodes of ONNX, whose gates are decided inside: what `models/transformer` computes, for one stream.

Frames are rows [T, width]. A module whose gate may be off takes only the rows where it is on, and adds to these.
Where there are none, its products are of no rows, and their weights are not read. So a chunk of any length skips what
may be skipped, and needs no branch: that would be a graph within a graph, which no bundle may have.
"""

from __future__ import annotations

from ssl_asr.models.transformer.arbitrators import Arbitrator
from ssl_asr.models.transformer.block import Block
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.serving.exporting.transducers.causal_nodes import CausalNodes
from ssl_asr.serving.exporting.transducers.transformer.attention import Layer, add_attention
from ssl_asr.serving.exporting.transducers.transformer.chunk import add_chunk, context_of
from ssl_asr.serving.exporting.transducers.transformer.gates import add_gates
from ssl_asr.serving.network import MOST_STATE


def check_transformer_exportable(encoder: Transformer) -> None:
    """ValueError if it has random gates, or keeps more for a stream than a bundle may."""
    section = encoder.section
    if section.gating is not None and section.gating.arbitrator == "random":
        raise ValueError(
            "a transducer with random gates can't be exported: they are what learned gates are compared with; export "
            "a transducer with gating.arbitrator=lstm or ff"
        )
    if (kept := most_kept(encoder)) > MOST_STATE:
        raise ValueError(
            f"the network keeps {kept:,} values of {context_of(encoder)} frames for each stream, more than the "
            f"{MOST_STATE:,} of a bundle; train it with a smaller network.left_context"
        )


def most_kept(encoder: Transformer) -> int:
    """Values of a stream's states, once it looks back as far as it may and all gates are open."""
    section, context = encoder.section, context_of(encoder)
    kept = 2 * section.width + (section.heads if encoder.parts.keys is not None else 0)
    values = 1 + section.layers * context * kept
    for each in encoder.arbitrators:
        assert isinstance(each, Arbitrator), "a Transformer has no others"
        values += sum(state.numel() for state in each.initial_state(1))
    return values


def add_transformer(nodes: CausalNodes, encoder: Transformer) -> str:
    """From `normalised` [1, T, inputs] to the returned [1, T, width]."""
    first = nodes.whole("encoder.first", 0)
    frames = nodes.node("Squeeze", ["normalised", first], "encoder.frames")
    hidden = nodes.linear("encoder.input", frames)
    chunk = add_chunk(nodes, encoder, frames)
    for number, span in enumerate(encoder.spans):
        gates = add_gates(nodes, encoder, number, hidden if number else frames, chunk)
        for place, each in enumerate(span):
            block = encoder.blocks[each]
            assert isinstance(block, Block), "a Transformer is made of these"
            layer = Layer(nodes, block, f"encoder.blocks.{each}", place, gates, chunk)
            hidden = _add_feed_forward(layer, add_attention(layer, hidden))
    return nodes.node("Unsqueeze", [nodes.add(encoder.norm, "encoder.norm", hidden), first], "encoder.rows")


def _add_feed_forward(layer: Layer, hidden: str) -> str:
    name, gate, nodes = layer.name, layer.gates.feed_forward(layer.number), layer.nodes
    rows = layer.taken(hidden, gate, f"{name}.feed_forward_rows")
    normed = nodes.add(layer.block.feed_forward_norm, f"{name}.feed_forward_norm", rows)
    risen = nodes.node("Relu", [nodes.linear(f"{name}.rise", normed)], f"{name}.risen")
    return layer.added(hidden, nodes.linear(f"{name}.fall", risen), gate, f"{name}.output")
