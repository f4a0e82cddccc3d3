"""Compares the training loop with a bare loop: frames a second of a student of the published size, 24 M parameters.

`python -m jobs.bench.loop [--run RUN] [--slabs N] [--rounds N]` trains on the run's labelled speech; without --run
it makes a small run first, some minutes. Two loops take turns in one process on one thread: the product's, with its
slab reader on Parquet shards, masks, meters, and BMUF of one worker with two blocks a round; and a bare one over the
same batches held in memory, with the same network, dropout, loss, optimiser and clipping and nothing else. Then the
same with the student of `demo`. Medians of the rounds, by the clock and by processor time, which other work on the
machine disturbs less; `same, no padding` is the bare loop on full chunks, that is what cutting short utterances into
chunks costs. One JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ssl_asr.models.acoustic import AcousticModel, count_parameters
from ssl_asr.models.lstm import Lstm
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.data.batches import Batch
from ssl_asr.training.job import TrainingJob, build_loop, build_model
from ssl_asr.training.objectives.soft_cross_entropy import soft_cross_entropy
from ssl_asr.training.optimisers import build_optimiser
from ssl_asr.training.sync.group import Worker

# A script does not have `jobs` on its path; its child processes inherit this setting.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from jobs.bench.student import TrainedStudent, batches_in_memory, job_of, labelled_run, published, small

LOOP, BARE, FULL = "the loop", "bare torch loop", "same, no padding"


@dataclass(frozen=True)
class Speed:
    """Frames with a target a second, by the clock and of the processor, all threads together."""

    clock: float
    processor: float


Speeds = dict[str, Speed]  # by what ran


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="a run whose unlabeled speech is labelled (default: a small one is made)")
    parser.add_argument("--slabs", type=int, default=4, help="of speech a round, an even number (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="of each loop (default: 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssl-asr-loop-") as folder:
        try:
            recipe = labelled_run(options.run, folder)
            torch.set_num_threads(1)
            both = {
                "24 M": measure(recipe, published(options.slabs // 2), options.slabs, options.rounds),
                "demo": measure(
                    recipe, small(options.slabs // 2, recipe.hmm.senones), options.slabs, options.rounds + 4
                ),
            }
        except ValueError as error:
            sys.exit(f"loop: {error}")
    show(both)
    figures = {
        "loop_over_bare": over_bare(both["24 M"]).clock,
        "loop_over_bare_processor": over_bare(both["24 M"]).processor,
        "frames_per_s": both["24 M"][LOOP].clock,
        "loop_over_bare_demo": over_bare(both["demo"]).clock,
        "loop_over_bare_demo_processor": over_bare(both["demo"]).processor,
        "frames_per_s_demo": both["demo"][LOOP].clock,
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def over_bare(speeds: Speeds) -> Speed:
    loop, bare = speeds[LOOP], speeds[BARE]
    return Speed(loop.clock / bare.clock, loop.processor / bare.processor)


def measure(recipe: Recipe, student: TrainedStudent, slabs: int, rounds: int) -> Speeds:
    """Median frames a second; the loops take turns, so a busy moment hits all equally."""
    job = job_of(recipe, student, slabs)
    batches = batches_in_memory(job, 0, slabs)
    works: dict[str, Callable[[], int]] = {
        LOOP: the_loop(job),
        BARE: bare_loop(job, batches),
        FULL: bare_loop(job, full_chunks(batches)),
    }
    speeds: dict[str, list[Speed]] = {name: [] for name in works}
    parameters = count_parameters(build_model(job))
    progress = Progress(f"training, {parameters / 1e6:.1f} M", rounds, "rounds")
    for _ in range(rounds):
        for name, work in works.items():
            speeds[name].append(timed(work))
        progress.advance()
    return {name: median(measured) for name, measured in speeds.items()}


def timed(work: Callable[[], int]) -> Speed:
    began, spent = time.perf_counter(), time.process_time()
    frames = work()
    return Speed(frames / (time.perf_counter() - began), frames / (time.process_time() - spent))


def median(speeds: list[Speed]) -> Speed:
    return Speed(
        statistics.median(speed.clock for speed in speeds), statistics.median(speed.processor for speed in speeds)
    )


def the_loop(job: TrainingJob) -> Callable[[], int]:
    """A function that runs the whole schedule once, from reading to the last block's end."""
    loop = build_loop(job, Worker())
    begin = loop.cursor

    def run() -> int:
        loop.cursor = begin
        frames: list[int] = []
        loop.run(lambda record, _: frames.append(record.frames))
        return sum(frames)

    return run


def bare_loop(job: TrainingJob, batches: Sequence[Batch]) -> Callable[[], int]:
    """A plain torch loop, without the product: each call goes over all batches once."""
    model = build_model(job).train()
    assert isinstance(model, AcousticModel), "senones"
    encoder = model.encoder
    assert isinstance(encoder, Lstm), "the bare loop calls its layers"
    optimiser = build_optimiser(model, job.optimiser)

    def run() -> int:
        for batch in batches:
            assert batch.posteriors is not None, "soft targets"
            hidden, _ = encoder.lstm(model.normalise(batch.frames))
            logits = model.senones(model.dropout(hidden[batch.valid]))
            loss = soft_cross_entropy(logits, batch.senones, batch.posteriors)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), job.optimiser.clip_norm)
            optimiser.step()
        return sum(len(batch.senones) for batch in batches)

    return run


def full_chunks(batches: Sequence[Batch]) -> list[Batch]:
    """The chunks of full length among them, in full batches."""
    longest = max(int(batch.lengths.max()) for batch in batches)
    rows = [(batch, row) for batch in batches for row in (batch.lengths == longest).nonzero().flatten().tolist()]
    size = max(len(batch.lengths) for batch in batches)
    return [_rows(rows[begin : begin + size]) for begin in range(0, len(rows) - size + 1, size)]


def _rows(rows: Sequence[tuple[Batch, int]]) -> Batch:
    frames = torch.stack([batch.frames[row] for batch, row in rows])
    valid = torch.stack([batch.valid[row] for batch, row in rows])
    owners = [batch.valid.nonzero()[:, 0] == row for batch, row in rows]
    senones = torch.cat([batch.senones[own] for (batch, _), own in zip(rows, owners, strict=True)])
    kept = [(batch.posteriors, own) for (batch, _), own in zip(rows, owners, strict=True)]
    posteriors = torch.cat([values[own] for values, own in kept if values is not None])
    lengths, pieces = torch.full((len(rows),), frames.shape[1]), [batch.pieces[row] for batch, row in rows]
    return Batch(frames, lengths, valid, senones, posteriors, None, float(len(senones)), pieces)


def show(both: dict[str, Speeds]) -> None:
    print(f"{'one thread':<26}{'frames/s':>10}{'x real time':>13}{'a processor s':>15}", end="")
    print(f"{'loop over it':>14}{'processor':>11}")
    for network, speeds in both.items():
        for name, speed in speeds.items():
            label = f"{network}: {name}"
            print(f"{label:<26}{speed.clock:>10,.0f}{speed.clock * FRAME_SECONDS:>13,.1f}", end="")
            print(f"{speed.processor:>15,.0f}{speeds[LOOP].clock / speed.clock:>14.3f}", end="")
            print(f"{speeds[LOOP].processor / speed.processor:>11.3f}")


if __name__ == "__main__":
    main()
