"""Runs a training job on Ray Train and follows it from the driver.

Ray Train places the workers, restarts them from the last checkpoint when one dies or the cluster changes, and
keeps the checkpoints under `training/<name>/ray/<key>`, so a job started again goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from itertools import accumulate
from threading import Thread
from typing import Any

import ray
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from ssl_asr.progress import Progress
from ssl_asr.recipe import Cluster
from ssl_asr.store import filesystem
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.board import Board, News
from ssl_asr.training.curve import Curve, Record
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.worker import train_worker

MAX_FAILURES = 8


def fit(job: TrainingJob, cluster: Cluster) -> Curve:
    """Train to the end and return the learning curve; the model is then in the run's `models/`."""
    board = Board.remote()  # type: ignore[attr-defined]
    curve = Curve(job.run, job.name)
    follower = _Follower(job, curve)
    trainer = _trainer(job, cluster, board)
    running = _in_background(trainer.fit)
    while wait_for([running], timeout=0.5).not_done:
        follower.follow(ray.get(board.take.remote()))
    follower.follow(ray.get(board.take.remote()))
    running.result()
    curve.write_tensorboard()
    return curve


def _in_background(work: Callable[[], object]) -> Future[object]:
    """Runs `work` in a daemon thread: a pool's thread would keep a process that is interrupted until it is done."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, name="fit", daemon=True).start()
    return done


def _trainer(job: TrainingJob, cluster: Cluster, board: Any) -> TorchTrainer:
    least, most = cluster.train_workers
    resources = {"CPU": cluster.cpus_per_worker} | ({"GPU": 1.0} if cluster.use_gpu else {})
    return TorchTrainer(
        train_worker,
        train_loop_config={"job": job, "board": board},
        torch_config=TorchConfig(backend="nccl" if cluster.use_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=least if least == most else (least, most),
            use_gpu=cluster.use_gpu,
            resources_per_worker=resources,
        ),
        run_config=RunConfig(
            name=job.key,
            storage_path=filesystem.join(job.run, "training", job.name, "ray"),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
        ),
    )


class _Follower:
    """Turns news from the board into the curve and the progress line."""

    def __init__(self, job: TrainingJob, curve: Curve) -> None:
        self.job, self.curve = job, curve
        self._before = list(accumulate((phase.count for phase in job.schedule), initial=0))
        self._progress: Progress | None = None

    def follow(self, news: News) -> None:
        """ValueError where a worker refused its input."""
        if news.refused is not None:
            raise ValueError(news.refused)
        if news.restarted is not None:
            self.curve.restart(news.restarted)
            # The clock starts with the workers: the time they take to come up says nothing about what is left.
            self._progress = Progress(self.job.name, self._before[-1], "slabs")
            self._progress.skip(self._slabs_done())
        self.curve.add(news.records)
        blocks = [record for record in news.records if "loss" in record]
        if blocks and self._progress is not None:
            self._progress.advance(self._slabs_done() - self._progress.done, _note(blocks[-1]))

    def _slabs_done(self) -> int:
        blocks = [record for record in self.curve.records if "loss" in record]
        if not blocks:
            return 0
        phase = blocks[-1]["phase"]
        in_phase = sum(self.job.sync.block_slabs * block["workers"] for block in blocks if block["phase"] == phase)
        # The last block of a phase may be short.
        return min(self._before[phase] + in_phase, self._before[phase + 1])


def _note(record: Record) -> str:
    speed = record["frames"] * FRAME_SECONDS / max(record["seconds"], 1e-3)
    return (
        f"block {record['block']}, {record['source']} loss {record['loss']:.3f}, "
        f"accuracy {record['frame_accuracy']:.1%}, lr {record['learning_rate']:.2g}, {speed:.0f} x real time"
    )
