"""Synchronous training: gradients of all workers averaged by frames, every step. Exact, and the baseline."""

from __future__ import annotations

import torch
from torch import nn

from ssl_asr.training import collective, flat
from ssl_asr.training.bmuf import Synced


class Dense:
    """Dense all-reduce as a callback on the training loop; the model itself is its state."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._dropped = 0

    def on_block_start(self, batches: int) -> int:
        """Steps of this block: as many as the worker with most batches; the others join with no gradient."""
        self._dropped = 0
        return collective.largest(batches)

    def on_after_backward(self, frames: int) -> None:
        """Replace the gradient of my mean loss by that of the mean over all workers' frames."""
        for parameter in self.model.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        buffer = flat.flatten([*gradients, torch.ones(1, device=gradients[0].device)]) * frames
        collective.sum_(buffer)
        if not torch.isfinite(buffer).all():
            # Every worker sees the same sum, so all skip this step alike.
            self._dropped += 1
            buffer.zero_()
        flat.unflatten_into(buffer[:-1] / buffer[-1].clamp(min=1), gradients)

    def on_block_end(self, frames: int) -> Synced:
        total = torch.tensor([float(frames)], dtype=torch.float64, device=next(self.model.parameters()).device)
        return Synced(int(collective.sum_(total).item()), self._dropped)

    def global_model(self) -> torch.Tensor:
        return flat.parameters(self.model)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"theta": flat.parameters(self.model)}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        flat.unflatten_into(state["theta"], self.model.parameters())
