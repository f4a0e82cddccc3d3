"""What is learned beside a network and left behind at the end: an adversary, or a classifier of training speakers."""

from __future__ import annotations

import torch
from torch import nn

from ssl_asr.training.sync.group import Group


class Companion(nn.Module):
    """Its parameters are trained, averaged and kept with the network's.

    Strategies share parameters alone. A buffer that training changes is named in the `shared_buffers` of its module,
    and `end_block` makes it equal on all workers: no momentum moves it, and checkpoints keep it as it is. A part that
    does not learn yet may be frozen (`requires_grad`): the optimiser leaves it alone.
    """

    def set_progress(self, progress: float) -> None:
        """Before each block: takes the share of the training's schedule that the block reaches."""

    def begin_phase(self, model: nn.Module, group: Group) -> None:
        """Before the first block of each phase, behind `set_progress`: `model` is the global one, in evaluation."""

    def end_block(self, group: Group) -> None:
        """After each block: makes its buffers equal on all workers."""

    def shared_state(self) -> dict[str, torch.Tensor]:
        """All its buffers by name, themselves: equal on all workers at a block's end."""
        return dict(self.named_buffers())


def learned_by(model: nn.Module, companion: Companion | None) -> nn.Module:
    """All that gradients move, the network first; strategies, optimisers and checkpoints know nothing else."""
    return model if companion is None else nn.ModuleList([model, companion])
