"""What runs in every Ray Train worker: the training job, with its records sent to the driver."""

from __future__ import annotations

from typing import Any

import ray.train
import torch
from ray.train.torch import get_device

from ssl_asr.training.curve import Record
from ssl_asr.training.sync.group import DistributedGroup, Worker
from ssl_asr.training.train import train


def train_worker(config: dict[str, Any]) -> None:
    """`config` holds the `job` and the `monitor`; the first worker exports the finished model."""
    group = DistributedGroup()
    train(config["job"], Worker(group, _device()), _Poster(config["monitor"], group.size), _preemption_noticed)


def _device() -> torch.device:
    device: torch.device = get_device()  # the CPU if no GPU was requested, even if the machine has one
    if device.type != "cpu":
        return device
    # One thread a worker: more threads would compete for the same cores, and sums would depend on their number.
    torch.set_num_threads(1)
    return device


def _preemption_noticed() -> bool:
    """Whether a machine of one of the workers has a preemption notice, as spot machines get."""
    return ray.train.get_preemption_info() is not None


class _Poster:
    """A listener that posts to the driver's monitor, as one of so many `workers`."""

    def __init__(self, monitor: Any, workers: int) -> None:
        self.monitor, self.workers = monitor, workers

    def restart(self, curve: list[Record]) -> None:
        self.monitor.restart.remote(curve, self.workers)

    def post(self, record: Record) -> None:
        self.monitor.post.remote(record)
