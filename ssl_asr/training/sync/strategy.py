"""What a strategy is: the callbacks that the loop calls, and the state that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

State = dict[str, torch.Tensor]
MEGABYTES_SENT = "megabytes_sent"  # the meter of what one worker has sent in a block, in a ring


@dataclass(frozen=True)
class Synced:
    """The result of a block's end: frames of all workers, dropped contributions (not finite), and live meters."""

    frames: int
    dropped: int
    meters: Mapping[str, float] = field(default_factory=dict)


class Replicated:
    """For strategies after which all workers have the same state at a block's end; no worker has its own state."""

    def local_state_dict(self) -> State:
        return {}

    def load_local_state_dicts(self, states: Iterable[State], *, redistributed: bool) -> None:
        """Nothing to load: there is no local state."""


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
        """The model to evaluate, checkpoint and export; it has the same bits on all workers at a block's end."""
        ...

    def state_dict(self) -> State:
        """The state that all workers share."""
        ...

    def load_state_dict(self, state: State) -> None: ...

    def local_state_dict(self) -> State:
        """The state of this worker alone; empty if all workers have the same state."""
        ...

    def load_local_state_dicts(self, states: Iterable[State], *, redistributed: bool) -> None:
        """Load this worker's own state, or, if `redistributed`, its share of the states of other workers."""
        ...
