"""Sums over a block, of all workers together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ssl_asr.training.objectives.objective import Loss
from ssl_asr.training.sync.group import Worker, sum_numbers


@dataclass(frozen=True)
class Means:
    """Per unit of weight: the loss, and the objective's figures by name."""

    loss: float
    figures: dict[str, float]


class Meter:
    """Sums of the loss and of the named figures, float64, and of their weights.

    Sums stay on the device until a block's end: reading one on the way would let a GPU run dry.
    """

    def __init__(self, figures: Sequence[str], device: torch.device) -> None:
        self.figures = tuple(figures)
        self.sums = torch.zeros(1 + len(self.figures), dtype=torch.float64, device=device)
        self.weight = 0.0

    def add(self, scored: Loss) -> None:
        """Of a batch whose loss is not finite, only the weight is added."""
        self.weight += scored.weight
        loss = scored.loss.detach()
        each = [loss.double() * scored.weight, *(scored.figures[name].double() for name in self.figures)]
        self.sums += torch.where(loss.isfinite(), torch.stack(each), 0.0)

    def over_all(self, worker: Worker) -> Means:
        """Means over the batches of all workers."""
        numbers: list[Any] = [*self.sums.tolist(), self.weight]
        loss, *sums, weight = sum_numbers(worker.group, numbers, worker.device)
        per = weight or 1.0
        return Means(loss / per, {name: value / per for name, value in zip(self.figures, sums, strict=True)})
