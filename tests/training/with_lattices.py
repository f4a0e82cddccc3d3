"""Made-up speech with lattices: the labels' path, and random others beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ssl_asr.sequence.lattices import Arcs, Lattice, assemble
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import SlabRef, SourceName
from tests.training.synthetic import SENONES, Synthetic


@dataclass(frozen=True)
class WithLattices(Synthetic):
    """Of labeled speech; every `every`-th utterance of a slab has no lattice and is left out."""

    every: int = 0

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        examples = super().read(source, ref, offset)
        kept = [each for number, each in enumerate(examples) if not self.every or number % self.every]
        return [replace(each, lattice=_lattice(each, number)) for number, each in enumerate(kept)]


def _lattice(example: Example, seed: int) -> Lattice:
    """Two nodes a boundary, an arc of the label and four of any senone a frame."""
    chance = np.random.default_rng(seed)
    labels = example.targets.senones[:, 0].astype(np.int32)
    frames = len(labels)
    boundary = np.repeat(np.arange(frames), 5)
    sources = np.where(boundary == 0, 0, 2 * boundary - 1 + chance.integers(2, size=5 * frames))
    targets = 2 * boundary + 1 + chance.integers(2, size=5 * frames)
    senones = chance.integers(SENONES, size=5 * frames)
    sources[::5], targets[::5], senones[::5] = (
        np.maximum(2 * np.arange(frames) - 1, 0),
        2 * np.arange(frames) + 1,
        labels,
    )
    final_costs = np.full(2 * frames + 1, np.inf)
    final_costs[-2:] = 0
    costs = chance.exponential(size=5 * frames)
    arcs = (sources, targets, senones)
    return assemble(
        0,
        final_costs,
        Arcs(
            *(each.astype(np.int32) for each in arcs),
            costs.astype(np.float32),
            np.zeros((5 * frames, 0), np.int32),
        ),
    )
