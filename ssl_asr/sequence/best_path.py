"""The best path of a lattice, and the part of a lattice whose paths are nearly as good."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssl_asr.sequence.lattices import Float, Lattice, assemble


@dataclass(frozen=True, eq=False)
class BestPath:
    """`score` is the acoustic score minus the costs, `arcs` [frames] are places in the lattice."""

    score: float
    arcs: npt.NDArray[np.intp]


def best_path(lattice: Lattice, scores: Float) -> BestPath:
    """By `scores` [A] of the arcs; of equal paths, that of the arcs that come first."""
    forward = _forward(lattice, scores)
    ends = forward[lattice.first_nodes[-2] :] - lattice.final_costs
    node = int(lattice.first_nodes[-2] + ends.argmax())
    found = []
    for frame in reversed(range(lattice.num_frames)):
        begin, end = lattice.first_arcs[frame : frame + 2]
        arriving = begin + np.flatnonzero(lattice.arcs.targets[begin:end] == node)
        values = forward[lattice.arcs.sources[arriving]] + scores[arriving] - lattice.arcs.costs[arriving]
        found.append(arriving[values.argmax()])
        node = int(lattice.arcs.sources[found[-1]])
    return BestPath(float(ends.max()), np.array(found[::-1]))


def most(lattice: Lattice, values: Float) -> float:
    """The largest sum of `values` [A] along a path, whatever the path costs."""
    free = replace(lattice.arcs, costs=np.zeros_like(lattice.arcs.costs))
    return best_path(replace(lattice, arcs=free, final_costs=np.zeros_like(lattice.final_costs)), values).score


def prune(lattice: Lattice, scores: Float, beam: float) -> Lattice:
    """Without the arcs whose best path is worse than the best of all by more than `beam`."""
    forward, backward = _forward(lattice, scores), _backward(lattice, scores)
    arcs = lattice.arcs
    through = forward[arcs.sources] + scores - arcs.costs + backward[arcs.targets]
    kept = np.flatnonzero(through >= backward[0] - beam - _ROUNDING * abs(backward[0]))
    final_costs = np.full(lattice.num_nodes, np.inf)
    last = slice(lattice.first_nodes[-2], None)
    near = forward[last] - lattice.final_costs >= backward[0] - beam - _ROUNDING * abs(backward[0])
    final_costs[last][near] = lattice.final_costs[near]
    return assemble(0, final_costs, arcs.take(kept))


_ROUNDING = 1e-12  # of sums in another order


def _forward(lattice: Lattice, scores: Float) -> Float:
    """The best score of a path from the start to each node."""
    best = np.full(lattice.num_nodes, -np.inf)
    best[0] = 0
    arcs = lattice.arcs
    values = scores - arcs.costs
    for frame in range(lattice.num_frames):
        here = slice(*lattice.first_arcs[frame : frame + 2])
        np.maximum.at(best, arcs.targets[here], best[arcs.sources[here]] + values[here])
    return best


def _backward(lattice: Lattice, scores: Float) -> Float:
    """The best score of a path from each node to an end."""
    best = np.full(lattice.num_nodes, -np.inf)
    best[lattice.first_nodes[-2] :] = -lattice.final_costs
    arcs = lattice.arcs
    values = scores - arcs.costs
    for frame in reversed(range(lattice.num_frames)):
        here = slice(*lattice.first_arcs[frame : frame + 2])
        np.maximum.at(best, arcs.sources[here], best[arcs.targets[here]] + values[here])
    return best
