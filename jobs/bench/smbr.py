"""Speed of sequence training: its kernel on made-up lattices, and an epoch of it on a run's labeled speech.

`python -m jobs.bench.smbr [--run RUN]` prints, for lattices of several densities, milliseconds of one core an
utterance of 90 frames: for all lattices of a batch side by side (joining them, forward-backward, gradient), and for
the same work one utterance after the other. Then the seconds of one core for an epoch of the run's teacher on whole
labeled utterances, reading included: by cross-entropy, and by sMBR; and for making the lattices. Then one JSON object
as the last line. `ms` is that of a batch of 32 at 60 arcs a frame, `over_ce_epoch` the ratio of the epochs. RUN is a
finished run, to which a decoding graph is added; without it a small run is made first.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import torch

from jobs.bench.student import labelled_run
from jobs.bench.timing import milliseconds
from ssl_asr.decoding.graph_files import make_graph
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import CrossEntropySection, ObjectiveSection, Recipe, SmbrSection
from ssl_asr.sequence import lattice_shards
from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.lattices import Arcs, Lattice, assemble
from ssl_asr.sequence.smbr import expected_accuracy
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.data.batches import batches_of, collated
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.run_sources import source_of_run
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import SlabRef, Source
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.sequence.lattice_job import LatticeJob
from ssl_asr.training.sequence.lattice_sets import lattice_set

UTTERANCES, FRAMES, SENONES, KAPPA = 32, 90, 600, 0.3
DENSITIES = (10, 60, 200)  # arcs a frame
DENSITY = 60  # of the figure `ms`
ROUNDS = 7
EPOCHS = 2  # of each kind; the faster one counts


@dataclass(frozen=True)
class Row:
    """Milliseconds an utterance."""

    density: int
    joining_ms: float
    batch_ms: float
    one_by_one_ms: float


@dataclass(frozen=True)
class Epochs:
    """Seconds of one core for all of `minutes` of labeled speech; `density` in arcs a frame."""

    minutes: float
    density: float
    lattices_s: float
    ce_s: float
    smbr_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="a finished run (default: a small one is made)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(density) for density in DENSITIES]
    print(f"{UTTERANCES} utterances of {FRAMES} frames, {SENONES} senones; ms of one core an utterance")
    print(f"{'arcs/frame':>10}{'joining':>10}{'in all':>10}{'one by one':>12}")
    for row in rows:
        print(f"{row.density:>10}{row.joining_ms:>10.3f}{row.batch_ms:>10.3f}{row.one_by_one_ms:>12.3f}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            epochs = measure_epochs(labelled_run(options.run, folder))
        except ValueError as error:
            sys.exit(f"smbr: {error}")
    print(f"{epochs.minutes:.1f} labeled minutes, {epochs.density:.1f} arcs a frame; seconds of one core")
    for name, seconds in (("lattices", epochs.lattices_s), ("CE epoch", epochs.ce_s), ("sMBR epoch", epochs.smbr_s)):
        print(f"{name:>10}{seconds:>10.1f}")
    chosen = next(row for row in rows if row.density == DENSITY)
    figures = {
        "ms": chosen.batch_ms,
        "one_by_one_ms": chosen.one_by_one_ms,
        "over_ce_epoch": epochs.smbr_s / epochs.ce_s,
        "lattices_over_ce_epoch": epochs.lattices_s / epochs.ce_s,
        "density": epochs.density,
    }
    print(json.dumps({**{name: round(value, 4) for name, value in figures.items()}, "rows": list(map(asdict, rows))}))


def measure(density: int) -> Row:
    lattices = [random_lattice(density, seed) for seed in range(UTTERANCES)]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(UTTERANCES * FRAMES, SENONES, generator=generator)
    references = torch.randint(SENONES, (UTTERANCES * FRAMES,), generator=generator)

    def gradient(begin: int, end: int) -> None:
        rows = slice(begin * FRAMES, end * FRAMES)
        mine = logits[rows].requires_grad_()
        found = expected_accuracy(mine, references[rows], concatenate(lattices[begin:end]), kappa=KAPPA)
        found.accuracies.sum().backward()

    def one_by_one() -> None:
        for place in range(UTTERANCES):
            gradient(place, place + 1)

    return Row(
        density,
        milliseconds(lambda: concatenate(lattices), ROUNDS) / UTTERANCES,
        milliseconds(lambda: gradient(0, UTTERANCES), ROUNDS) / UTTERANCES,
        milliseconds(one_by_one, ROUNDS) / UTTERANCES,
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


@dataclass(frozen=True)
class Beside:
    """A run's examples with the lattices of these slabs, which lie in memory as a store would give them."""

    reader: SlabReader
    tables: Mapping[SlabRef, pa.Table]

    def read(self, source: str, ref: SlabRef, offset: int) -> list[Example]:
        found = lattice_shards.decode(self.tables[ref])
        return [replace(each, lattice=found[each.id]) for each in self.reader.read(source, ref, offset)]


def measure_epochs(recipe: Recipe) -> Epochs:
    wanted = lattice_set(recipe, "teacher", ["teacher"])
    make_graph(recipe.run, wanted.settings.lm_order, wanted.graph)
    source, job = source_of_run(recipe, "labeled"), LatticeJob(wanted)
    began = time.process_time()
    made = {shard: job.make(shard) for shard in sorted(source.shards)}
    spent = time.process_time() - began
    tables = {ref: made[ref.shard].slabs[ref.slab] for ref in source}
    plain = SlabReader(recipe.run, recipe.frontend.mel_bins, wanted.alignment_set)
    frames = [sum(content.slab_frames) for content in made.values()]
    density = np.average([content.statistics["density"] for content in made.values()], weights=frames)
    sequence = wanted.settings
    smbr = SmbrSection(kappa=sequence.kappa, smoothing_weight=sequence.smoothing_weight)
    return Epochs(
        minutes=source.frames / 6000,
        density=float(density),
        lattices_s=spent,
        ce_s=epoch(recipe, source, plain, CrossEntropySection()),
        smbr_s=epoch(recipe, source, Beside(plain, tables), smbr),
    )


def epoch(recipe: Recipe, source: Source, reader: SlabReader | Beside, section: ObjectiveSection) -> float:
    """Seconds of the faster of several epochs, from the run's teacher, block by block as in training."""
    model, _ = load_model(model_uri(recipe.run, "teacher"))
    objective, look_ahead = build_objective(section), model.encoder.look_ahead
    optimiser = torch.optim.Adam(model.train().parameters(), 1e-5, fused=True)
    refs: Sequence[SlabRef] = [source.at(place) for place in range(len(source))]

    def once() -> None:
        for ref in refs:
            examples = reader.read("labeled", ref, 0)
            pieces = batches_of(
                examples, True, recipe.teacher.sequence.batching, look_ahead, np.random.default_rng(0)
            )
            for batch in collated(pieces, look_ahead):
                optimiser.zero_grad()
                objective.loss(model, batch).loss.backward()
                optimiser.step()

    return milliseconds(once, EPOCHS) / 1000


if __name__ == "__main__":
    main()
