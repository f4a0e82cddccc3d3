"""Lattices as arrays: the paths that a search kept for an utterance, with one arc for each 30 ms frame of a path.

Costs and scores are natural logarithms. Acoustic scores are not part of a lattice: they come from the model at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int32]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arcs:
    """Arcs [A] between nodes: each crosses one frame. `words` [A, W] are ids from 1 in spoken order, 0 where none.

    `costs` are negative log probabilities of language model, lexicon and transitions. A word is on one arc of every
    path that says it: where the graph's output label is, between one phone before the word and its last frame.
    """

    sources: Int
    targets: Int
    senones: Int
    costs: npt.NDArray[np.float32]
    words: Int

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, places: npt.NDArray[np.integer]) -> Arcs:
        """The arcs at these places."""
        return Arcs(*(each[places] for each in (self.sources, self.targets, self.senones, self.costs, self.words)))


@dataclass(frozen=True, eq=False)
class Lattice:
    """Every path leads from node 0 to a node of the last boundary, and every node is on such a path.

    Nodes are numbered by boundary, frame t lies between the boundaries t and t + 1: `first_nodes` [T + 2] says where
    each boundary's begin. Arcs are sorted by source, and so by frame: `first_arcs` [T + 1] says where each frame's
    begin. `final_costs` are those of ending in each node of the last boundary.
    """

    first_nodes: Int
    first_arcs: Int
    arcs: Arcs
    final_costs: npt.NDArray[np.float32]

    @property
    def num_frames(self) -> int:
        return len(self.first_arcs) - 1

    @property
    def num_nodes(self) -> int:
        return int(self.first_nodes[-1])

    @property
    def density(self) -> float:
        """Arcs a frame."""
        return len(self.arcs) / self.num_frames

    @cached_property
    def frames(self) -> Int:
        """The frame of each arc [A]."""
        return np.repeat(np.arange(self.num_frames, dtype=np.int32), np.diff(self.first_arcs))

    def with_priors(self, log_priors_s: npt.NDArray[np.floating], kappa: float) -> Lattice:
        """Costs that hold kappa times the log prior of the senone too: what remains to be scored are posteriors."""
        costs = self.arcs.costs + (kappa * log_priors_s[self.arcs.senones]).astype(np.float32)
        return replace(self, arcs=replace(self.arcs, costs=costs))

    def scores(self, scores_ts: npt.NDArray[np.floating]) -> Float:
        """The acoustic score of each arc [A], from those of all senones [frames, senones]."""
        if len(scores_ts) != self.num_frames:
            raise ValueError(f"scores of {len(scores_ts)} frames do not fit a lattice of {self.num_frames}")
        return scores_ts[self.frames, self.arcs.senones].astype(np.float64)


def assemble(start: int, final_costs: npt.NDArray[np.floating], arcs: Arcs) -> Lattice:
    """The lattice of those arcs and nodes that are on a path from `start` to an end; nodes may be numbered anyhow.

    `final_costs` [nodes] is infinite where no path ends. ValueError if no path is complete, or if a node is reached
    after different numbers of frames.
    """
    order = np.argsort(arcs.sources, kind="stable")
    first = np.searchsorted(arcs.sources[order], np.arange(len(final_costs) + 1))
    boundaries, level = np.full(len(final_costs), -1, np.int32), 0
    levels: list[npt.NDArray[np.intp]] = []  # arcs of each frame
    nodes = np.array([start])
    while True:
        if (boundaries[nodes] >= 0).any():
            raise ValueError("a node of the lattice is reached after different numbers of frames")
        boundaries[nodes] = level
        leaving = order[ranges(first[nodes], first[nodes + 1])]
        if not len(leaving):
            break
        levels.append(leaving)
        nodes, level = np.unique(arcs.targets[leaving]), level + 1
    kept = (boundaries == level) & np.isfinite(final_costs)
    complete = []
    for leaving in reversed(levels):
        complete.append(leaving[kept[arcs.targets[leaving]]])
        kept[arcs.sources[complete[-1]]] = True
    if not levels or not kept[start]:
        raise ValueError("no path of the lattice is complete")
    return _numbered(boundaries, kept, final_costs, arcs.take(np.sort(np.concatenate(complete))))


def _numbered(
    boundaries: Int, kept: npt.NDArray[np.bool_], final_costs: npt.NDArray[np.floating], arcs: Arcs
) -> Lattice:
    """Number the kept nodes by boundary, and sort the arcs by source."""
    nodes = np.flatnonzero(kept)
    nodes = nodes[np.argsort(boundaries[nodes], kind="stable")]
    numbers = np.full(len(kept), -1, np.int32)
    numbers[nodes] = np.arange(len(nodes))
    num_frames = int(boundaries[nodes[-1]])
    first_nodes = np.searchsorted(boundaries[nodes], np.arange(num_frames + 2)).astype(np.int32)
    arcs = arcs.take(np.argsort(numbers[arcs.sources], kind="stable"))
    sources, targets = numbers[arcs.sources], numbers[arcs.targets]
    first_arcs = np.searchsorted(sources, first_nodes[:-1]).astype(np.int32)
    ends = nodes[first_nodes[-2] :]
    return Lattice(
        first_nodes,
        first_arcs,
        Arcs(sources, targets, arcs.senones, arcs.costs, arcs.words),
        final_costs[ends].astype(np.float32),
    )


def ranges(begins: npt.NDArray[np.integer], ends: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """All integers of the ranges [begin, end), one range after the other."""
    lengths = ends - begins
    shifts = begins - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.arange(lengths.sum(), dtype=np.intp) + np.repeat(shifts, lengths)
