"""What an encoder is: the part of a network from frames to hidden outputs, in one piece or chunk by chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from ssl_asr.models.multiply_adds import inner_multiply_adds
from ssl_asr.recipe import NETWORKS, NetworkSection
from ssl_asr.recipe.choice import listed

# What an encoder carries from one chunk to the next: tensors of which dimension 1 is the batch.
EncoderState = tuple[torch.Tensor, ...]
SectionT = TypeVar("SectionT", bound=NetworkSection)


@dataclass(frozen=True)
class OwnLoss:
    """What an encoder adds to the objective's loss of a batch, a scalar in nats a frame; figures are means."""

    loss: torch.Tensor
    figures: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Flops:
    """Of each utterance [B], float64: what an encoder computes, and what it would with all its modules running."""

    spent_b: torch.Tensor
    whole_b: torch.Tensor


class Encoder(nn.Module, ABC, Generic[SectionT]):
    """Built from its section of the recipe and the width of its inputs.

    `width` is that of its outputs. Outputs lag their inputs by `look_ahead` 30 ms frames. A causal encoder's output
    depends on no later input, so it can be given an utterance in chunks. `figures` names those of its `OwnLoss`.
    """

    is_causal: bool = False
    figures: tuple[str, ...] = ()

    def __init__(self, section: SectionT, width: int) -> None:
        super().__init__()
        self.section, self.width = section, width

    @property
    def look_ahead(self) -> int:
        return self.section.look_ahead

    @property
    def multiply_adds_per_frame(self) -> int:
        """By formula, for one 30 ms frame; ValueError where it has a layer without one."""
        return inner_multiply_adds(self)

    def flops(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> Flops:
        """By formula, two for each multiply-add, for normalised utterances as `forward` takes them.

        ValueError where a layer has no formula.
        """
        flops_b = 2.0 * self.multiply_adds_per_frame * lengths_b.double()
        return Flops(flops_b, flops_b)

    def initial_state(self, n: int) -> EncoderState:
        """The state before the first frame of `n` utterances; ValueError where the encoder needs whole utterances."""
        raise ValueError(f"a network of kind '{self.section.kind}' needs whole utterances; it can't be run in chunks")

    def begin_as(self, start: Encoder[Any], rng: torch.Generator) -> None:
        """Take the weights of an encoder that `may_begin_as` allows. Weights that `start` lacks stay as they are.

        `rng` is for weights that must differ from those that they are copied from.
        """
        self.load_state_dict(self.state_dict() | start.state_dict())

    def set_progress(self, progress: float) -> None:
        """Takes the share of the training's schedule that the next steps reach, for what changes on the way."""

    def take_own_loss(self) -> OwnLoss | None:
        """Of the last whole utterances or chunks that it was trained or judged on, once; None: it has none."""
        return None

    @abstractmethod
    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        """Outputs [batch, frames, width], and the state at each sequence's own end where one was given.

        Outputs of a separator are [channels, batch, frames, width].

        `lengths_b` lies on the CPU. Outputs of padding mean nothing. Without a state, sequences are whole.
        """


def build_encoder(section: NetworkSection, inputs: int) -> Encoder[Any]:
    """By the table of networks; `inputs` is the width of a 30 ms frame."""
    encoder: Encoder[Any] = listed(NETWORKS, section.kind).load()(section, inputs)
    return encoder
