"""What an objective is: it scores a batch by a model, and says by how much the batch counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from ssl_asr.models.normalised import FrameNetwork
from ssl_asr.recipe import OBJECTIVES, ObjectiveSection
from ssl_asr.recipe.choice import listed
from ssl_asr.training.data.batches import Batch, Piece


@dataclass(frozen=True)
class Loss:
    """`loss` is the mean per unit of `weight`, a scalar to be differentiated.

    `figures` are sums over the batch, scalars on the model's device: divided by the weight they are what is shown.
    `frames_a_unit` is how many 30 ms frames of speech there are for each unit of the weight.
    """

    loss: torch.Tensor
    weight: float
    figures: Mapping[str, torch.Tensor] = field(default_factory=dict)
    frames_a_unit: float = 1.0


class Objective(Protocol):
    """Built from its section of the recipe.

    `figures` names the figures of every `Loss`. `needs_text` asks for the manifest beside the features: examples then
    have their text and tags. `needs_lattices` asks for the lattices: examples without one are left out.
    """

    figures: tuple[str, ...]
    needs_text: bool
    needs_lattices: bool

    def weight(self, pieces: Sequence[Piece]) -> float:
        """Weight of the batch that these pieces will be, in frames, tokens or what the loss is a mean of.

        Known before the batch is made: workers are averaged by it.
        """
        ...

    def loss(self, model: Any, batch: Batch) -> Loss:
        """With the weight that `weight` announced; `model` is of the kind that the objective is for."""
        ...


def score(objective: Objective, model: FrameNetwork, batch: Batch) -> tuple[Loss, torch.Tensor | None]:
    """The objective's loss, with the encoder's figures beside its own; and the encoder's own loss, if it has any.

    Both are per unit of the objective's weight.
    """
    scored = objective.loss(model, batch)
    own = model.frame_encoder.take_own_loss()
    if own is None:
        return scored, None
    figures = {name: value * scored.weight for name, value in own.figures.items()}
    return replace(scored, figures={**scored.figures, **figures}), own.loss * scored.frames_a_unit


def figures_of(objective: Objective, model: FrameNetwork) -> tuple[str, ...]:
    """The names of the figures of what `score` returns."""
    return (*objective.figures, *model.frame_encoder.figures)


def build_objective(section: ObjectiveSection) -> Objective:
    """By the table of objectives."""
    objective: Objective = listed(OBJECTIVES, section.kind).load()(section)
    return objective
