"""Trainings that a lost cluster ends, and what listens to them."""

from __future__ import annotations

import pytest

from ssl_asr.training.curve import Record
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate
from ssl_asr.training.train import train
from ssl_asr.training.trainable import Trainable


class CutOff(Exception):
    """The cluster is gone."""


class Ends:
    """Listens, and ends all workers after a block, as a lost cluster does."""

    def __init__(self, after: int) -> None:
        self.after = after

    def restart(self, curve: list[Record]) -> None:
        self.begun_after = len(curve)

    def post(self, record: Record) -> None:
        if record["block"] > self.after:
            raise CutOff


def train_until(job: Trainable, workers: int, after: int) -> None:
    """Simulated workers train, from the last checkpoint if there is one, and are lost after block `after`."""

    def work(group: SimulatedGroup) -> None:
        train(job, Worker(group), Ends(after), lambda: False)

    with pytest.raises(CutOff):
        simulate(workers, work)
