"""Lattices of several utterances side by side: one step of a recursion serves the same frame of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.sequence.lattices import Float, Lattice

Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LatticeBatch:
    """U lattices with N nodes and A arcs. Nodes are sorted by boundary, arcs by frame, both then by utterance.

    `first_arcs` [longest + 1] and `first_nodes` [longest + 2] say where those of each frame and boundary begin.
    `places` [A] says where each arc stands if the lattices' arcs follow one another. `rows` [A] are the arcs' frames
    if those of the utterances follow one another. Paths end in the nodes `ends` at `end_costs`.
    """

    num_frames: Index
    first_nodes: Index
    first_arcs: Index
    places: Index
    rows: Index
    sources: Index
    targets: Index
    senones: Index
    costs: Float
    node_utterances: Index
    ends: Index
    end_costs: Float

    @property
    def arc_utterances(self) -> Index:
        return self.node_utterances[self.sources]


def concatenate(lattices: Sequence[Lattice]) -> LatticeBatch:
    """The lattices as one batch, in their order; at least one."""
    num_frames = np.array([each.num_frames for each in lattices], np.intp)
    num_nodes = [each.num_nodes for each in lattices]
    utterances = np.repeat(np.arange(len(lattices)), num_nodes)
    boundaries = np.concatenate([_repeated(each.first_nodes) for each in lattices])
    frames = np.concatenate([each.frames for each in lattices])
    order, places = np.argsort(boundaries, kind="stable"), np.argsort(frames, kind="stable")
    numbers = np.empty(len(order), np.intp)
    numbers[order] = np.arange(len(order))
    nodes_before, rows_before = _before(num_nodes), _before(num_frames.tolist())
    counts = [len(each.arcs) for each in lattices]
    node_shift, row_shift = np.repeat(nodes_before, counts), np.repeat(rows_before, counts)
    arcs = [each.arcs for each in lattices]
    ends = [
        np.arange(first + each.first_nodes[-2], first + each.num_nodes)
        for first, each in zip(nodes_before, lattices, strict=True)
    ]
    return LatticeBatch(
        num_frames=num_frames,
        first_nodes=np.searchsorted(boundaries[order], np.arange(num_frames.max() + 2)),
        first_arcs=np.searchsorted(frames[places], np.arange(num_frames.max() + 1)),
        places=places,
        rows=(frames + row_shift)[places],
        sources=numbers[np.concatenate([each.sources for each in arcs]) + node_shift][places],
        targets=numbers[np.concatenate([each.targets for each in arcs]) + node_shift][places],
        senones=np.concatenate([each.senones for each in arcs]).astype(np.intp)[places],
        costs=np.concatenate([each.costs for each in arcs]).astype(np.float64)[places],
        node_utterances=utterances[order],
        ends=numbers[np.concatenate(ends)],
        end_costs=np.concatenate([each.final_costs for each in lattices]).astype(np.float64),
    )


def _repeated(firsts: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """The number of the run in which each element is, of runs that begin at `firsts`; the last one is the end."""
    return np.repeat(np.arange(len(firsts) - 1), np.diff(firsts))


def _before(counts: Sequence[int]) -> Index:
    """For each, how many come before it."""
    return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
