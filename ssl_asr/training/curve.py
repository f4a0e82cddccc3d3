"""The learning curve of one model: `training/<name>/curve.jsonl`, and the same as TensorBoard events.

A checkpoint carries the curve up to itself, so after any restart the curve shows each block exactly once.
"""

from __future__ import annotations

import json
from typing import Any

from tensorboardX import SummaryWriter

from ssl_asr.store import filesystem

Record = dict[str, Any]


def curve_uri(run: str, name: str) -> str:
    return filesystem.join(run, "training", name, "curve.jsonl")


def read_curve(run: str, name: str) -> list[Record]:
    uri = curve_uri(run, name)
    if not filesystem.exists(uri):
        return []
    return [json.loads(line) for line in filesystem.read_bytes(uri).decode().splitlines()]


class Curve:
    """Collects a model's records and keeps them in the run."""

    def __init__(self, run: str, name: str) -> None:
        self.run, self.name = run, name
        self.records: list[Record] = []

    def restart(self, records: list[Record]) -> None:
        """Begin again from the curve that a checkpoint held."""
        self.records = []
        self.add(records)

    def add(self, records: list[Record]) -> None:
        if records:
            self.records += records
            lines = "".join(json.dumps(record) + "\n" for record in self.records)
            filesystem.write_bytes(curve_uri(self.run, self.name), lines.encode())

    def write_tensorboard(self) -> None:
        """Events of the whole curve, written once it is finished, where the run is on a disk."""
        if "://" in self.run:
            return
        folder = filesystem.join(self.run, "tensorboard", self.name)
        filesystem.delete(folder)
        with SummaryWriter(folder) as writer:
            for record in self.records:
                for name, value in record.items():
                    if name != "block" and isinstance(value, int | float):
                        writer.add_scalar(f"train/{name}", value, record["block"])
