"""Modules that see no later frame, so that they run in one piece or chunk by chunk, with a state that is carried."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import nn

from ssl_asr.models.encoder import EncoderState


class CausalModule(nn.Module, ABC):
    """A part of a causal encoder, with the encoder's interface; frames are dimension 1 of its inputs and outputs.

    A state has `state_tensors` tensors, whose dimension 1 is the batch.
    """

    def __init__(self, state_tensors: int) -> None:
        super().__init__()
        self.state_tensors = state_tensors

    @abstractmethod
    def initial_state(self, n: int) -> EncoderState:
        """The state before the first frame of `n` sequences."""

    @abstractmethod
    def forward(
        self, frames: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        """Outputs, and the state at each sequence's own end where one was given. Without a state, sequences begin."""


class CausalSequential(CausalModule):
    """Layers one after the other; those that are no CausalModule, as nn.Linear, look at each frame by itself."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(sum(each.state_tensors for each in layers if isinstance(each, CausalModule)))
        self.layers = nn.ModuleList(layers)

    def initial_state(self, n: int) -> EncoderState:
        return joined_state(each.initial_state(n) for each in self.layers if isinstance(each, CausalModule))

    def forward(
        self, frames: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        stateful = [each for each in self.layers if isinstance(each, CausalModule)]
        before, after = iter(split_state(state, *stateful)), []
        for layer in self.layers:
            if isinstance(layer, CausalModule):
                frames, new = layer(frames, lengths_b, next(before))
                after.append(new)
            else:
                frames = layer(frames)
        return frames, None if state is None else joined_state(after)


class Residual(CausalModule):
    """The inputs plus what `inner` makes of them."""

    def __init__(self, inner: CausalModule) -> None:
        super().__init__(inner.state_tensors)
        self.inner = inner

    def initial_state(self, n: int) -> EncoderState:
        return self.inner.initial_state(n)

    def forward(
        self, frames: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        outputs, after = self.inner(frames, lengths_b, state)
        return frames + outputs, after


def joined_state(states: Iterable[EncoderState]) -> EncoderState:
    """The states of several modules as one."""
    return tuple(tensor for state in states for tensor in state)


def split_state(state: EncoderState | None, *modules: CausalModule) -> list[EncoderState | None]:
    """Each module's part of their joined state; None for each if there is none."""
    if state is None:
        return [None] * len(modules)
    parts: list[EncoderState | None] = []
    for module in modules:
        parts.append(state[: module.state_tensors])
        state = state[module.state_tensors :]
    assert not state, "the state is that of another network"
    return parts


def after_past(past: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """`frames` [batch, frames, ...] with `past` [past frames, batch, ...] before them, in the type of `frames`."""
    return torch.cat([past.transpose(0, 1).to(frames.dtype), frames], 1)


def last_frames(longer: torch.Tensor, lengths_b: torch.Tensor, count: int) -> torch.Tensor:
    """[count, batch, ...]: the last `count` frames up to each sequence's own end.

    `longer` [batch, frames, ...] has `count` frames of the past before each sequence, as `after_past` makes it. So a
    sequence without a frame keeps its past.
    """
    batch, frames = longer.shape[:2]
    if int(lengths_b.min()) == frames - count:
        found = longer.narrow(1, frames - count, count)
    else:
        places_bc = lengths_b[:, None] + torch.arange(count)
        found = longer[torch.arange(batch)[:, None], places_bc]
    # A copy: as a view, a few frames would keep a whole chunk in memory.
    return found.transpose(0, 1).clone(memory_format=torch.contiguous_format)
