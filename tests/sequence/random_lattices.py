"""Small random lattices, and their paths one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ssl_asr.sequence.lattices import Arcs, Lattice, assemble

SENONES = 5


def random_lattice(seed: int, frames: int = 5, width: int = 3, arcs: int = 6) -> Lattice:
    """At most `width` nodes a boundary and `arcs` random arcs a frame, one path among them for sure."""
    generator = np.random.default_rng(seed)
    boundaries = [1] + [width] * frames
    firsts = np.cumsum([0, *boundaries])
    sources, targets, at = [], [], 0
    for frame in range(frames):
        reached = generator.integers(width)
        sources += [firsts[frame] + at, *(firsts[frame] + generator.integers(boundaries[frame], size=arcs - 1))]
        targets += [firsts[frame + 1] + reached, *(firsts[frame + 1] + generator.integers(width, size=arcs - 1))]
        at = reached
    total = frames * arcs
    final_costs = np.full(firsts[-1], np.inf)
    final_costs[firsts[-2] :] = generator.exponential(size=width)
    order = generator.permutation(total)
    words = np.zeros((total, 1), np.int32)
    words[generator.random(total) < 0.3] = generator.integers(1, 9)
    return assemble(
        0,
        final_costs,
        Arcs(
            np.array(sources, np.int32)[order],
            np.array(targets, np.int32)[order],
            generator.integers(SENONES, size=total).astype(np.int32),
            generator.exponential(size=total).astype(np.float32),
            words,
        ),
    )


def paths(lattice: Lattice) -> Iterator[tuple[list[int], float]]:
    """(places of arcs, cost) of every path."""
    leaving: dict[int, list[int]] = {}
    for place, source in enumerate(lattice.arcs.sources.tolist()):
        leaving.setdefault(source, []).append(place)
    last = int(lattice.first_nodes[-2])

    def walk(node: int, before: list[int], cost: float) -> Iterator[tuple[list[int], float]]:
        if node >= last:
            yield before, cost + float(lattice.final_costs[node - last])
            return
        for place in leaving[node]:
            yield from walk(
                int(lattice.arcs.targets[place]), [*before, place], cost + float(lattice.arcs.costs[place])
            )

    return walk(0, [], 0.0)
