"""Synchronous training: gradients of all workers averaged by weight, every step. Exact, and the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.gradients import replace_gradients, step_weights, weighted
from ssl_asr.training.sync.group import Group, sum_numbers
from ssl_asr.training.sync.strategy import MEGABYTES_SENT, Replicated, State, Synced
from ssl_asr.training.sync.traffic import all_reduce_bytes


class Dense(Replicated):
    """Dense all-reduce as callbacks of the training loop; the model itself is its state."""

    def __init__(self, model: nn.Module, sync: Sync, group: Group) -> None:
        self.model, self.group = model, group
        self.summed = sync.gradients == "sum"
        # The buffer is reused in every step: allocation costs more than the sum.
        self._gradient = torch.zeros_like(flat.parameters(model))
        self._weights: Iterator[float] = iter(())
        self._dropped = self._steps = 0

    def on_block_start(self, batch_weights: Sequence[float]) -> int:
        """Steps of this block: those of the worker with the most batches; the others join without a gradient."""
        self._dropped = self._steps = 0
        weights = step_weights(self.group, batch_weights, summed=self.summed, device=self._device())
        self._weights = iter(weights)
        return len(weights)

    def on_after_backward(self) -> int:
        """Replace my gradient by that of the mean loss over all workers' batches."""
        self._steps += 1
        self._dropped += not weighted(self.model, next(self._weights), self._gradient)
        replace_gradients(self.model, self.group.sum_(self._gradient))
        return self.group.size if self.summed else 1

    def on_block_end(self, weight: float, frames: int) -> Synced:
        all_frames, dropped = sum_numbers(self.group, [float(frames), float(self._dropped)], self._device())
        payload = self._steps * self._gradient.numel() * self._gradient.element_size()
        return Synced(
            int(all_frames), int(dropped), {MEGABYTES_SENT: all_reduce_bytes(self.group.size, payload) / 1e6}
        )

    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def global_model(self) -> torch.Tensor:
        return flat.parameters(self.model)

    def state_dict(self) -> State:
        return {"theta": flat.parameters(self.model)}

    def load_state_dict(self, state: State) -> None:
        flat.unflatten_into(state["theta"], self.model.parameters())
