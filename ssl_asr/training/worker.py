"""What runs in every Ray Train worker: build the loop, go on from the last checkpoint, report, export."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray.train
import torch

from ssl_asr.training import flat
from ssl_asr.training.checkpoint import load_checkpoint, save_checkpoint
from ssl_asr.training.curve import Record
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.loop import BlockRecord, Loop, Worker
from ssl_asr.training.model_files import model_uri, save_model
from ssl_asr.training.schedule import Cursor

CHECKPOINT = "checkpoint.safetensors"


def train_worker(config: dict[str, Any]) -> None:
    """`config` holds the `job` and the `board`; the first worker exports the finished model."""
    try:
        _train(config["job"], config["board"])
    except ValueError as error:
        # Told to the driver, which stops: Ray Train alone would restart the workers, again and again.
        ray.get(config["board"].refuse.remote(str(error)))
        raise


def _train(job: TrainingJob, board: Any) -> None:
    context = ray.train.get_context()
    worker = Worker(context.get_world_rank(), context.get_world_size(), _device())
    loop = build_loop(job, worker)
    kept = ray.train.get_checkpoint()
    curve: list[Record] = []
    if kept is not None:
        with kept.as_directory() as folder:
            curve = load_checkpoint(str(Path(folder) / CHECKPOINT), loop)
    reporter = _Reporter(job, loop, board, curve)
    loop.run(reporter.on_block)
    if worker.rank == 0:
        _export(job, loop)


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    # One thread a worker: several would fight over the same cores, and sums would depend on how many there are.
    torch.set_num_threads(1)
    return torch.device("cpu")


class _Reporter:
    """Tells the driver of every block, and Ray Train of every block that is checkpointed."""

    def __init__(self, job: TrainingJob, loop: Loop, board: Any, curve: list[Record]) -> None:
        self.job, self.loop, self.board, self.curve = job, loop, board, curve
        if loop.worker.rank == 0:
            board.restart.remote(curve)

    def post(self, record: Record) -> None:
        if self.loop.worker.rank == 0:
            self.curve.append(record)
            self.board.post.remote(record)

    def on_block(self, record: BlockRecord, behind: Cursor) -> None:
        self.post(asdict(record))
        phase_ended = behind.slabs == 0
        if phase_ended and self.job.dev is not None and record.source == "labeled":
            loss, accuracy = self.loop.evaluate(self.job.dev)
            self.post({"block": record.block, "dev_loss": loss, "dev_frame_accuracy": accuracy})
        if phase_ended or record.block % self.job.sync.checkpoint_blocks == 0:
            self._checkpoint(record, behind)

    def _checkpoint(self, record: BlockRecord, behind: Cursor) -> None:
        metrics = {"block": record.block, "loss": record.loss}
        if self.loop.worker.rank != 0:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory() as folder:
            save_checkpoint(str(Path(folder) / CHECKPOINT), self.loop, behind, self.curve)
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _export(job: TrainingJob, loop: Loop) -> None:
    flat.unflatten_into(loop.strategy.global_model(), loop.model.parameters())
    about = {"key": job.key, "senone_set": job.reader.senone_set, "blocks": loop.block}
    save_model(model_uri(job.run, job.name), loop.model, about)
