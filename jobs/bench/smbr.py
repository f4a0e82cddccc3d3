"""Speed of sequence training: forward-backward over lattices, and the gradient of expected accuracy by the logits.

`python jobs/bench/smbr.py` prints, for lattices of several densities, milliseconds of one core an utterance of 90
frames: for all lattices of a batch side by side (joining them, forward-backward and the gradient), and for the same
work one utterance after the other. Then one JSON object as the last line; `ms` is that of a batch of 32 at 60 arcs a
frame.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.lattices import Arcs, Lattice, assemble
from ssl_asr.sequence.smbr import expected_accuracy

UTTERANCES, FRAMES, SENONES, KAPPA = 32, 90, 600, 0.3
DENSITIES = (10, 60, 200)  # arcs a frame
DENSITY = 60  # of the figure `ms`
ROUNDS = 7


@dataclass(frozen=True)
class Row:
    """Milliseconds an utterance."""

    density: int
    joining_ms: float
    batch_ms: float
    one_by_one_ms: float


def main() -> None:
    torch.set_num_threads(1)
    rows = [measure(density) for density in DENSITIES]
    print(f"{UTTERANCES} utterances of {FRAMES} frames, {SENONES} senones; ms of one core an utterance")
    print(f"{'arcs/frame':>10}{'joining':>10}{'in all':>10}{'one by one':>12}")
    for row in rows:
        print(f"{row.density:>10}{row.joining_ms:>10.3f}{row.batch_ms:>10.3f}{row.one_by_one_ms:>12.3f}")
    chosen = next(row for row in rows if row.density == DENSITY)
    figures = {"ms": chosen.batch_ms, "one_by_one_ms": chosen.one_by_one_ms}
    print(json.dumps({**{name: round(value, 4) for name, value in figures.items()}, "rows": list(map(asdict, rows))}))


def measure(density: int) -> Row:
    lattices = [random_lattice(density, seed) for seed in range(UTTERANCES)]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(UTTERANCES * FRAMES, SENONES, generator=generator)
    log_priors = torch.log_softmax(torch.randn(SENONES, generator=generator), 0)
    references = torch.randint(SENONES, (UTTERANCES * FRAMES,), generator=generator)

    def gradient(begin: int, end: int) -> None:
        rows = slice(begin * FRAMES, end * FRAMES)
        mine = logits[rows].requires_grad_()
        batch = concatenate(lattices[begin:end])
        expected_accuracy(mine, log_priors, references[rows], batch, kappa=KAPPA).accuracies.sum().backward()

    def one_by_one() -> None:
        for place in range(UTTERANCES):
            gradient(place, place + 1)

    return Row(
        density,
        milliseconds(lambda: concatenate(lattices)) / UTTERANCES,
        milliseconds(lambda: gradient(0, UTTERANCES)) / UTTERANCES,
        milliseconds(one_by_one) / UTTERANCES,
    )


def random_lattice(density: int, seed: int) -> Lattice:
    """Every node has arcs from and to it, `density` arcs a frame but in the first one."""
    generator = np.random.default_rng(seed)
    width = max(2, density * 2 // 5)
    nodes = np.arange(FRAMES * width).reshape(FRAMES, width) + 1
    begins = np.stack([np.resize(generator.permutation(width), density) for _ in range(FRAMES - 1)])
    ends = np.stack([np.resize(generator.permutation(width), density) for _ in range(FRAMES - 1)])
    sources = np.concatenate([np.zeros(width, np.int64), *np.take_along_axis(nodes[:-1], begins, axis=1)])
    targets = np.concatenate([nodes[0], *np.take_along_axis(nodes[1:], ends, axis=1)])
    final_costs = np.full(FRAMES * width + 1, np.inf)
    final_costs[-width:] = generator.random(width)
    arcs = Arcs(
        sources.astype(np.int32),
        targets.astype(np.int32),
        generator.integers(SENONES, size=len(sources), dtype=np.int32),
        generator.random(len(sources)).astype(np.float32),
        np.zeros((len(sources), 1), np.int32),
    )
    return assemble(0, final_costs, arcs)


def milliseconds(work: Callable[[], object]) -> float:
    """The least processor time of several rounds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return 1000 * min(spent)


if __name__ == "__main__":
    main()
