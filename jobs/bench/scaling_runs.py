"""The trainings that `scaling.py` compares, and the folder that stores finished results."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from jobs.bench.scaling_data import ScalingSpeech, load_speech
from jobs.bench.scaling_training import Settings, frame_accuracy, train, warm_start
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.progress import Progress
from ssl_asr.recipe import Sync
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store.ledger import checksum

SEEDS = (1, 2, 3)
WORKERS = (2, 4, 8, 16, 32, 64)
ONE = "one worker"
SETTINGS = Settings()


@dataclass(frozen=True)
class Method:
    """A synchronisation strategy, and the numbers of workers to try it with."""

    name: str
    sync: Sync
    workers: tuple[int, ...] = WORKERS


def _methods() -> tuple[Method, ...]:
    block, share = SETTINGS.block_steps, SETTINGS.gtc_share
    summed: dict[str, Any] = {"gradients": "sum", "block_slabs": 4 * block}
    return (
        Method("BMUF, Nesterov", Sync(block_slabs=block)),
        Method("BMUF, classical", Sync(block_slabs=block, variant="classical")),
        Method("plain averaging", Sync(block_slabs=block, eta=0.0, zeta=1.0)),
        Method("GTC", Sync(strategy="gtc", gtc_share=share, gtc_dense_steps=0, **summed)),
        Method("dense", Sync(strategy="dense", **summed)),
        # Longer blocks, as many of them as 64 workers have blocks of one step; and what is sent in fewer bits.
        *(Method(f"BMUF, {64 // n} steps", Sync(block_slabs=64 // n), (n,)) for n in (16, 8, 4)),
        Method("BMUF, bfloat16", Sync(block_slabs=block, wire="bfloat16"), (64,)),
        Method("GTC, 0.2 %", Sync(strategy="gtc", gtc_share=0.002, gtc_dense_steps=0, **summed), (32,)),
    )


METHODS = _methods()
_ALL = (Method(ONE, Sync(strategy="dense", block_slabs=128)), *METHODS)


@dataclass(frozen=True)
class Run:
    method: str
    workers: int
    seed: int


@dataclass(frozen=True)
class Result:
    """Frame accuracy on held-out speech, after the warm start and at the end."""

    run: Run
    warm: float
    accuracy: float


def all_runs() -> list[Run]:
    """Every training: those with a bar first, then from many workers to few."""
    first = [(ONE, 1), ("BMUF, Nesterov", 64), ("GTC", 32), ("plain averaging", 64)]
    rest = [
        (method.name, workers) for workers in reversed(WORKERS) for method in METHODS if workers in method.workers
    ]
    runs = [Run(name, workers, seed) for seed in SEEDS for name, workers in first]
    return runs + [Run(*cell, seed) for cell in rest if cell not in first for seed in SEEDS]


class Bench:
    """`folder` keeps a line of JSON for every finished training and the models of the warm starts."""

    def __init__(self, run: str, folder: str) -> None:
        self.run, self.folder = run, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Other settings or other targets are another bench.
        self.key = checksum(f"{SETTINGS} {target_set_id(open_recipe(run))}".encode())[:12]
        self.file = self.folder / f"results-{self.key}.jsonl"

    def results(self) -> list[Result]:
        if not self.file.exists():
            return []
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        found = [Result(Run(**line["run"]), line["warm"], line["accuracy"]) for line in lines]
        return sorted(found, key=lambda result: (result.run.seed, result.run.method, result.run.workers))

    def train_all(self, processes: int) -> None:
        done = {result.run for result in self.results()}
        todo = [run for run in all_runs() if run not in done]
        progress = Progress("trainings", len(done) + len(todo), "trainings", interval=60)
        progress.skip(len(done))
        # One thread a training: its sums come out alike on every machine, and cores are for other trainings.
        os.environ["OMP_NUM_THREADS"] = "1"
        with ProcessPoolExecutor(
            processes, get_context("spawn"), _open, (self.run, str(self.folder / self.key))
        ) as pool:
            list(pool.map(_warm, SEEDS))
            for finished in as_completed([pool.submit(_train, run) for run in todo]):
                self._keep(finished)
                progress.advance()

    def _keep(self, finished: Future[Result]) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps(asdict(finished.result())) + "\n")


class _Here:
    """What a process trains on."""

    speech: ScalingSpeech
    folder: Path


def _open(run: str, folder: str) -> None:
    torch.set_num_threads(1)
    _Here.speech, _Here.folder = load_speech(run, SETTINGS.chunks), Path(folder)
    _Here.folder.mkdir(exist_ok=True)


def _warm(seed: int) -> torch.Tensor:
    path = _Here.folder / f"warm-{seed}.pt"
    if not path.exists():
        torch.save(warm_start(_Here.speech, SETTINGS, seed), path)
    model: torch.Tensor = torch.load(path)
    return model


def _train(run: Run) -> Result:
    start = _warm(run.seed)
    sync = next(method.sync for method in _ALL if method.name == run.method)
    model = train(_Here.speech, SETTINGS, sync, run.workers, run.seed, start)
    warm, accuracy = (frame_accuracy(_Here.speech, SETTINGS, each) for each in (start, model))
    return Result(run, warm, accuracy)
