"""Learning curves for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ssl_asr.training.curve import read_curve


@dataclass(frozen=True)
class CurvePoint:
    """One block of training: `frames` are 30 ms, `source` "labeled" or "unlabeled".

    `loss` is in nats a frame. That of sMBR is no cross-entropy: it has an `expected_accuracy`, a share, to look at.
    """

    block: int
    phase: int
    source: str
    loss: float
    frame_accuracy: float | None
    expected_accuracy: float | None
    learning_rate: float
    frames: int
    seconds: float
    workers: int
    whole: bool


@dataclass(frozen=True)
class DevPoint:
    """The model measured on dev after `block`."""

    block: int
    loss: float
    frame_accuracy: float | None


@dataclass(frozen=True)
class LearningCurve:
    model: str
    blocks: tuple[CurvePoint, ...]
    dev: tuple[DevPoint, ...]

    @property
    def frames(self) -> int:
        return sum(block.frames for block in self.blocks)

    @property
    def seconds(self) -> float:
        return sum(block.seconds for block in self.blocks)


def curve_of(run: str, model: str) -> LearningCurve | None:
    """The curve of "teacher", "baseline" or "student"; None if that model has no block yet."""
    records = read_curve(run, model)
    blocks = [_block(record) for record in records if "loss" in record]
    dev = [_dev(record) for record in records if "dev_loss" in record]
    return LearningCurve(model, tuple(blocks), tuple(dev)) if blocks else None


def _block(record: dict[str, Any]) -> CurvePoint:
    values: dict[str, Any] = {name: record.get(name) for name in CurvePoint.__dataclass_fields__}
    return CurvePoint(**values)


def _dev(record: dict[str, Any]) -> DevPoint:
    return DevPoint(record["block"], record["dev_loss"], record.get("dev_frame_accuracy"))
