"""What runs in every Ray Train worker: the worker's way through the job, with its news sent to the driver."""

from __future__ import annotations

from typing import Any

import ray.train
import torch

from ssl_asr.training.curve import Record
from ssl_asr.training.loop import Worker
from ssl_asr.training.sync.group import Processes
from ssl_asr.training.train import train


def train_worker(config: dict[str, Any]) -> None:
    """`config` holds the `job` and the `board`; the first worker exports the finished model."""
    board = config["board"]
    try:
        train(config["job"], Worker(Processes(), _device()), _Poster(board), _leaves_soon)
    except ValueError as error:
        # Told to the driver, which stops: Ray Train alone would restart the workers, again and again.
        ray.get(board.refuse.remote(str(error)))
        raise


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    # One thread a worker: several would fight over the same cores, and sums would depend on how many there are.
    torch.set_num_threads(1)
    return torch.device("cpu")


def _leaves_soon() -> bool:
    """Whether a machine that one of the workers is on has been given notice, as spot machines are."""
    return ray.train.get_preemption_info() is not None


class _Poster:
    """Listens for the driver."""

    def __init__(self, board: Any) -> None:
        self.board = board

    def restart(self, curve: list[Record]) -> None:
        self.board.restart.remote(curve)

    def post(self, record: Record) -> None:
        self.board.post.remote(record)
