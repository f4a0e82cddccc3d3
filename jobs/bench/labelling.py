"""Compares the speed of labelling with the machine's speed, with a run's own teacher and unlabeled speech.

`python -m jobs.bench.labelling RUN [--shards N] [key=value ...]` labels N shards (an even number, default 6) into a
temporary run. It prints: hours of audio an hour of one core for the whole work on a shard (read, network, top-k,
encode, publish); the same for the network's `torch.nn.LSTM` alone on full batches of equal length, and for a large
matrix product; the share of computed frames that are padding; how long the network waits between shards with one and
with two shards in an actor; and the speed-up of two actors over one on Ray. The last line is one JSON object. RUN is
a run with features and a trained teacher.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from jobs.bench.rounds import afresh
from ssl_asr.frontend.stacking import stacked_length
from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.labelling.teachers import NetworkLabeller, target_set_id
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.length_batches import batches_of_like_length, padding_waste
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import Pool, run_shard_jobs
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.layout import TARGETS, ledger_folder
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS

ROUNDS = 3
GEMM_SIZE = 2048


@dataclass(frozen=True)
class BenchWork:
    """A temporary run with some shards of features and the teacher; `lengths` are 30 ms frames by shard."""

    recipe: Recipe
    shards: list[Shard]
    lengths: list[list[int]]

    @property
    def frames(self) -> int:
        return sum(map(sum, self.lengths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run with features and a trained teacher")
    parser.add_argument("--shards", type=int, default=6, help="to label each time, an even number (default: 6)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the run's recipe")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssl-asr-labelling-") as folder:
        try:
            work = prepare(open_recipe(options.run, options.overrides), options.shards, Path(folder))
        except ValueError as error:
            sys.exit(f"labelling: {error}")
        figures = measure(work)
    show(figures, work)
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def prepare(recipe: Recipe, count: int, folder: Path) -> BenchWork:
    """Copies of the run's first shards, its recipe and models; ValueError if there are too few shards."""
    entries = ShardStore(recipe.run, features.STORE).entries("unlabeled")[:count]
    if count % 2 or len(entries) < count:
        raise ValueError(f"{recipe.run} has {len(entries)} unlabeled shards; give --shards an even number up to that")
    shutil.copytree(Path(recipe.run) / "models", folder / "models")
    source, copy = ShardStore(recipe.run, features.STORE), ShardStore(str(folder), features.STORE)
    for entry in entries:
        for uri in (source.uri(entry.shard), source.ledger_uri(entry.shard)):
            target = folder / Path(uri).relative_to(recipe.run)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(uri, target)
    lengths = []
    for entry in entries:
        with copy.open(entry.shard) as file:
            lengths.append([stacked_length(frames) for frames in file.read(["num_frames"])["num_frames"].to_pylist()])
    return BenchWork(recipe.model_copy(update={"run": str(folder)}), [entry.shard for entry in entries], lengths)


def measure(work: BenchWork) -> dict[str, float]:
    job = LabelJob(work.recipe)
    assert isinstance(job.teacher, NetworkLabeller), "an ensemble has no one LSTM to compare with"
    batches = [batches_of_like_length(lengths, work.recipe.labelling.batch_frames) for lengths in work.lengths]
    computed = sum(
        sum(lengths) / (1 - padding_waste(lengths, each)) for lengths, each in zip(work.lengths, batches, strict=True)
    )
    speeds = fastest(
        {
            "job": (lambda: afresh(job, work.shards[0]), sum(work.lengths[0])),
            "lstm": packed_lstm(job.teacher.model, work),
            "gemm": gemm(job.teacher.model.mean.device),
        }
    )
    flops = 2 * speeds["job"] * sum(weight.numel() for weight in job.teacher.model.parameters() if weight.dim() == 2)
    one, two = (on_ray(work, actors) for actors in (1, 2))
    return {
        "hours_an_hour_of_a_core": speeds["job"] * FRAME_SECONDS,
        "packed_lstm_hours_an_hour": speeds["lstm"] * FRAME_SECONDS,
        "share_of_packed_lstm": speeds["job"] / speeds["lstm"],
        "gemm_gflops": speeds["gemm"] / 1e9,
        "share_of_gemm": flops / speeds["gemm"],
        "padding_waste": 1 - work.frames / computed,
        "mean_batch": sum(map(len, work.lengths)) / sum(map(len, batches)),
        "waiting_share_one_shard": waiting_share(job, work, 1),
        "waiting_share_two_shards": waiting_share(job, work, 2),
        "one_actor_hours_an_hour": one * FRAME_SECONDS,
        "two_actors_hours_an_hour": two * FRAME_SECONDS,
        "speedup_2_actors": two / one,
    }


def fastest(works: dict[str, tuple[Callable[[], Any], float]]) -> dict[str, float]:
    """Units a second of each work; they take turns, so a busy moment hits all equally. The best round counts."""
    best = dict.fromkeys(works, 0.0)
    progress = Progress("network, LSTM and matrix product", ROUNDS, "rounds")
    for _ in range(ROUNDS):
        for name, (work, units) in works.items():
            began = time.perf_counter()
            work()
            best[name] = max(best[name], units / (time.perf_counter() - began))
        progress.advance()
    return best


def packed_lstm(model: AcousticModel, work: BenchWork) -> tuple[Callable[[], Any], float]:
    """The network's torch.nn.LSTM alone, without its last layer, on full batches of the median length."""
    every = sorted(length for lengths in work.lengths for length in lengths if length)
    length = every[len(every) // 2]
    batch = torch.randn(work.recipe.labelling.batch_frames // length, length, model.spec.inputs).to(model.mean.device)
    layers = next(module for module in model.modules() if isinstance(module, torch.nn.LSTM))
    calls = max(sum(work.lengths[0]) // (len(batch) * length), 1)

    @torch.inference_mode()
    def run() -> None:
        for _ in range(calls):
            layers(batch)
        _finish(batch.device)

    return run, calls * len(batch) * length


def gemm(device: torch.device) -> tuple[Callable[[], Any], float]:
    """One large float32 product; its units are operations, two for each multiplication."""
    left, right = torch.randn(2, GEMM_SIZE, GEMM_SIZE, device=device)

    def run() -> None:
        torch.mm(left, right)
        _finish(device)

    return run, 2 * GEMM_SIZE**3


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def waiting_share(job: LabelJob, work: BenchWork, at_once: int) -> float:
    """The share of the time, from the first batch to the last, in which the network was idle."""
    spans: list[tuple[float, float]] = []
    label = job.label

    def timed(utterances: Sequence[Any]) -> Any:
        began = time.perf_counter()
        labelled = label(utterances)
        spans.append((began, time.perf_counter()))
        return labelled

    job.label = timed  # type: ignore[method-assign]
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(partial(afresh, job), work.shards))
    del job.label
    return 1 - sum(end - begin for begin, end in spans) / (spans[-1][1] - spans[0][0])


def on_ray(work: BenchWork, actors: int) -> float:
    """Frames a second of `actors` actors, from the moment when each has finished a shard, so start-up does not count.

    The times are those of the ledger's files, because Ray Data reports a shard one shard late.
    """
    filesystem.delete(ledger_folder(work.recipe.run, TARGETS))
    with joined():
        run_shard_jobs(
            f"{actors} actors",
            work.shards,
            partial(LabelJob, work.recipe),
            pool=Pool(actors, actors, work.recipe.cluster.cpus_per_worker, float(work.recipe.cluster.use_gpu), 2),
        )
    store = ShardStore(work.recipe.run, targets.store_name(target_set_id(work.recipe)))
    finished = sorted(Path(store.ledger_uri(shard)).stat().st_mtime for shard in work.shards)
    frames_a_shard = work.frames / len(work.shards)
    return frames_a_shard * (len(finished) - actors) / (finished[-1] - finished[actors - 1])


def show(figures: dict[str, float], work: BenchWork) -> None:
    print(f"{work.frames * FRAME_SECONDS / 60:.0f} minutes of speech in {len(work.shards)} shards")
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<32}{value:>12,.3f}")


if __name__ == "__main__":
    main()
