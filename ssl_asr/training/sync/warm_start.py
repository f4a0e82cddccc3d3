"""Warm start: dense gradients for a number of frames, then BMUF from the resulting model."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ssl_asr.training.sync.bmuf import Bmuf
from ssl_asr.training.sync.dense import Dense
from ssl_asr.training.sync.strategy import Replicated, State, Synced


class WarmStart(Replicated):
    """`dense` for blocks that begin before `frames` (30 ms frames of all workers) are trained, then `bmuf`."""

    def __init__(self, dense: Dense, bmuf: Bmuf, frames: int) -> None:
        self.dense, self.bmuf, self.frames = dense, bmuf, frames
        self.trained_frames = 0

    @property
    def _now(self) -> Dense | Bmuf:
        return self.dense if self.trained_frames < self.frames else self.bmuf

    def on_block_start(self, batch_weights: Sequence[float]) -> int:
        return self._now.on_block_start(batch_weights)

    def on_after_backward(self) -> int:
        return self._now.on_after_backward()

    def on_block_end(self, weight: float, frames: int) -> Synced:
        now = self._now
        synced = now.on_block_end(weight, frames)
        self.trained_frames += synced.frames
        if now is self.dense:
            self.bmuf.begin_from(self.dense.global_model())
        return synced

    def global_model(self) -> torch.Tensor:
        return self._now.global_model()

    def state_dict(self) -> State:
        return {"trained_frames": torch.tensor(self.trained_frames), **self.bmuf.state_dict()}

    def load_state_dict(self, state: State) -> None:
        self.trained_frames = int(state["trained_frames"])
        self.bmuf.load_state_dict(state)
        self.dense.load_state_dict({"theta": state["theta"]})
