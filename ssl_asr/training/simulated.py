"""A training job with all its workers simulated in this process: accuracy against N without a cluster."""

from __future__ import annotations

from ssl_asr.training.curve import CurveWriter, Record
from ssl_asr.training.loop import Loop
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.simulation import simulate
from ssl_asr.training.train import train
from ssl_asr.training.trainable import Trainable


def train_simulated(job: Trainable, workers: int) -> Loop:
    """Train to the end with `workers` workers; writes the same files as a training on a cluster."""
    listener = _Keeper(job)
    loops = simulate(workers, lambda group: train(job, Worker(group), listener, lambda: False))
    listener.curve.close()
    return loops[0]


def run_simulated(job: Trainable, workers: int) -> None:
    """The same as a task: nothing is left but the run's files."""
    train_simulated(job, workers)


class _Keeper:
    """Stores the curve, as the driver of a cluster does."""

    def __init__(self, job: Trainable) -> None:
        self.curve = CurveWriter(job.run, job.name)

    def restart(self, curve: list[Record]) -> None:
        self.curve.restart(list(curve))
        self.curve.save()

    def post(self, record: Record) -> None:
        self.curve.add([record])
        self.curve.save()
