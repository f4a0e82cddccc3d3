"""The cost of synchronisation: step times of each strategy with two workers, and a model for many workers.

`python -m jobs.bench.overhead [--run RUN] [--steps N] [--rounds N]` trains a student of the published size (24 M
parameters) on real batches held in memory, in two processes of one thread each over gloo, each way in turn: without
communication, the product's BMUF, GTC and dense, torch's DDP, post-localSGD and PowerSGD hooks. Without --run it
makes a small run first, some minutes. Workers meet before each step and each block's end, so that a slower
neighbour's lag is not counted. Medians; a block's end is timed by itself and spread over the published 100
minibatches. Then efficiencies of 32 and 64 workers by formula, with all that goes into it; then one JSON object as
the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ssl_asr.models.acoustic import count_parameters
from ssl_asr.planning.blocks import MINIBATCHES
from ssl_asr.training.data.batches import Batch
from ssl_asr.training.job import TrainingJob, build_model
from ssl_asr.training.sync.gtc import gtc_add

# A script does not have `jobs` on its path; its child processes inherit this setting.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from jobs.bench.overhead_model import Measured, gtc_bytes_over_dense, modelled, show_model
from jobs.bench.overhead_strategies import Product, TimedStrategy, timed_strategies
from jobs.bench.student import batches_in_memory, job_of, labelled_run, published

WORKERS, SLABS = 2, 2
NONE = "no communication"


@dataclass(frozen=True)
class Timed:
    """Medians in seconds, the block's end by itself; `computed` is a step's sync outside of collectives.

    Bytes are what one worker puts into collectives, a step's and a block's end's.
    """

    step: float
    block_end: float
    computed: float
    step_bytes: float
    block_bytes: float

    @property
    def spread(self) -> float:
        return self.step + self.block_end / MINIBATCHES

    @property
    def spread_bytes(self) -> float:
        return self.step_bytes + self.block_bytes / MINIBATCHES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="a run whose unlabeled speech is labelled (default: a small one is made)")
    parser.add_argument("--steps", type=int, default=3, help="of each way a round (default: 3)")
    parser.add_argument("--rounds", type=int, default=4, help="(default: 4)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssl-asr-overhead-") as folder:
        try:
            job = job_of(labelled_run(options.run, folder), published(1), SLABS)
        except ValueError as error:
            sys.exit(f"overhead: {error}")
        mp.spawn(worker, (job, options.steps, options.rounds, folder), WORKERS)
        kept = json.loads(Path(folder, "timed.json").read_text())
    timed = {name: Timed(**each) for name, each in kept["timed"].items()}
    show(timed)
    measured = measured_of(timed, kept["add_words"], build_model(job))
    show_model(measured)
    figures = {
        "bmuf_overhead": timed["bmuf"].block_end / MINIBATCHES / timed[NONE].step,
        "gtc_bytes_over_dense": gtc_bytes_over_dense(measured),
        "bmuf_modelled_eff_64": modelled("bmuf", measured, 64, 25),
        "gtc_modelled_eff_32": modelled("gtc", measured, 32, 25),
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def worker(rank: int, job: TrainingJob, steps: int, rounds: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORKERS)
    batches = [batch for batch in batches_in_memory(job, rank, 1) if len(batch.lengths) == job.batching.batch_chunks]
    clocks = {name: Clock(make()) for name, make in timed_strategies(job, steps).items()}
    for name, clock in clocks.items():
        clock.go(batches[:steps], keep=False)  # memory, buckets, PowerSGD's dense steps
        tell(rank, f"ready: {name}")
    for number in range(rounds):
        for clock in clocks.values():
            clock.go([batches[(number * steps + step) % len(batches)] for step in range(steps)])
        tell(rank, f"round {number + 1}/{rounds}")
    if rank == 0:
        gtc = clocks["gtc"].strategy
        assert isinstance(gtc, Product)
        timed = {name: asdict(clock.timed()) for name, clock in clocks.items()}
        kept = {"timed": timed, "add_words": adding_seconds(gtc)}
        Path(folder, "timed.json").write_text(json.dumps(kept))
    dist.barrier()
    dist.destroy_process_group()


def tell(rank: int, what: str) -> None:
    if rank == 0:
        print(what, file=sys.stderr, flush=True)


class Clock:
    """One way's seconds and bytes, block by block."""

    def __init__(self, strategy: TimedStrategy) -> None:
        self.strategy = strategy
        self.steps: list[float] = []
        self.ends: list[float] = []
        self.step_bytes: list[float] = []
        self.end_bytes: list[float] = []

    def go(self, batches: list[Batch], keep: bool = True) -> None:
        """A block of these batches; one that is not kept warms up."""
        for batch in batches:
            self._time(partial(self.strategy.step, batch), self.steps, self.step_bytes)
        self._time(self.strategy.end_block, self.ends, self.end_bytes)
        if not keep:
            for kept in (self.steps, self.ends, self.step_bytes, self.end_bytes):
                kept.clear()
            if isinstance(self.strategy, Product):
                self.strategy.sync_seconds.clear()

    def _time(self, work: Callable[[], None], seconds: list[float], sent: list[float]) -> None:
        dist.barrier()
        before, began = self.strategy.sent, time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
        sent.append(self.strategy.sent - before)

    def timed(self) -> Timed:
        computed = self.strategy.sync_seconds if isinstance(self.strategy, Product) else []
        return Timed(
            statistics.median(self.steps),
            statistics.median(self.ends),
            statistics.median(computed or [0.0]),
            statistics.mean(self.step_bytes),
            statistics.mean(self.end_bytes),
        )


def adding_seconds(gtc: Product) -> float:
    """Seconds to add one worker's words of a step to the update; the best of ten trials."""
    elements = count_parameters(gtc.model)
    words = torch.randperm(elements)[: round(elements * (gtc.job.sync.gtc_share or 0.002))].to(torch.int32)
    update, best = torch.zeros(elements), float("inf")
    for _ in range(10):
        began = time.perf_counter()
        gtc_add(words, 1.0, update)
        best = min(best, time.perf_counter() - began)
    return best


def measured_of(timed: dict[str, Timed], add_words: float, model: torch.nn.Module) -> Measured:
    """The inputs of the model for many workers; times are shares of this machine's step."""
    step = timed[NONE].step
    return Measured(
        weights=sum(each.numel() for each in model.parameters() if each.dim() > 1),
        bmuf_block_bytes=timed["bmuf"].block_bytes,
        gtc_step_bytes=timed["gtc"].step_bytes,
        dense_step_bytes=timed["dense"].step_bytes,
        bmuf_share=timed["bmuf"].block_end / MINIBATCHES / step,
        gtc_share=timed["gtc"].computed / step,
        gtc_add_share=add_words / step,
        dense_share=timed["dense"].computed / step,
    )


def show(timed: dict[str, Timed]) -> None:
    print(f"{'2 workers, 24 M, gloo':<22}{'s a step':>10}{'s a block end':>15}{'s, spread':>11}", end="")
    print(f"{'over none':>11}{'MB a step, spread':>19}")
    for name, each in timed.items():
        over = each.spread / timed[NONE].spread - 1
        print(f"{name:<22}{each.step:>10.3f}{each.block_end:>15.3f}{each.spread:>11.3f}", end="")
        print(f"{over:>11.1%}{each.spread_bytes / 1e6:>19.3f}")


if __name__ == "__main__":
    main()
