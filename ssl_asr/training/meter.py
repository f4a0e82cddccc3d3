"""Sums over the frames of a block, of all workers together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ssl_asr.training.sync.group import Worker, sum_numbers


@dataclass
class Meter:
    """Sums over frames: of loss and of hits, float64 [2], and of frames.

    They stay on the device until a block's end, as reading one lets a GPU run dry.
    """

    sums: torch.Tensor
    frames: int = 0

    def add(self, loss: torch.Tensor, hits: torch.Tensor, frames: int) -> None:
        """A batch's mean loss, left out with its hits where it is not finite."""
        self.frames += frames
        both = torch.stack([loss.detach().double() * frames, hits.double()])
        self.sums += torch.where(loss.detach().isfinite(), both, 0.0)

    def over_all(self, worker: Worker) -> tuple[float, float]:
        """Mean loss and accuracy over the frames of all workers."""
        loss, hits, frames = sum_numbers(worker.group, [*self.sums.tolist(), float(self.frames)], worker.device)
        return loss / max(frames, 1), hits / max(frames, 1)
