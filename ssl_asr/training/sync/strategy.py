"""What a strategy is: the callbacks that the loop calls, and the state that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Synced:
    """What a block's end tells: frames of all workers, contributions dropped as not finite, and live meters."""

    frames: int
    dropped: int
    meters: Mapping[str, float] = field(default_factory=dict)


class Replicated:
    """For a strategy that leaves all workers in the same state at a block's end: none has a state of its own."""

    def local_state_dict(self) -> State:
        return {}

    def load_local_state_dicts(self, states: Iterable[State], *, dealt: bool) -> None:
        """There is nothing in them."""


class Strategy(Protocol):
    def on_block_start(self, batch_weights: Sequence[float]) -> int:
        """Takes the weight of each of this worker's batches; returns the number of steps in the block."""
        ...

    def on_after_backward(self) -> int:
        """Between gradient and step; a worker that has run out of batches joins without a gradient.

        Returns how many gradients the model's now is the sum of: 1 for the worker's own, or a mean.
        """
        ...

    def on_block_end(self, weight: float, frames: int) -> Synced:
        """Takes the weight of this worker's batches, by which workers are averaged, and their 30 ms frames."""
        ...

    def global_model(self) -> torch.Tensor:
        """What is evaluated, checkpointed and exported: the same bits on all workers at a block's end."""
        ...

    def state_dict(self) -> State:
        """What all workers share."""
        ...

    def load_state_dict(self, state: State) -> None: ...

    def local_state_dict(self) -> State:
        """What this worker alone holds; empty where workers differ in nothing."""
        ...

    def load_local_state_dicts(self, states: Iterable[State], *, dealt: bool) -> None:
        """This worker's own state, or, `dealt`, those that fall to it of another number of workers, maybe none."""
        ...
