"""A penalty that holds a network near the weights that it begins with, added to any objective.

Elastic weight consolidation (Kirkpatrick et al. 2017, equation 3): L + lambda/2 sum_i F_i (theta_i - theta*_i)^2,
with F the diagonal of the Fisher information at theta*. L2-SP (Li et al. 2018) is the same with every F_i = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from ssl_asr.store.weights import read_weights
from ssl_asr.training.data.batches import Batch, Piece
from ssl_asr.training.objectives.objective import Loss, Objective

PENALTY = "penalty"
Weights = Mapping[str, torch.Tensor]  # by the name of the parameter


@dataclass(frozen=True)
class Anchor:
    """`start` is the file of the model with the weights theta*, `strength` is lambda.

    `importance` is the file of F, by the names of the parameters; None: every F_i is 1.
    """

    start: str
    strength: float
    importance: str | None = None


def quadratic_penalty(
    parameters: Weights, start: Weights, importance: Weights | None, strength: float
) -> torch.Tensor:
    """lambda/2 sum_i F_i (theta_i - theta*_i)^2, a scalar that can be differentiated by `parameters`."""
    parts = []
    for name, theta in parameters.items():
        squares = (theta - start[name]).square()
        parts.append((squares if importance is None else importance[name] * squares).sum())
    return strength / 2 * torch.stack(parts).sum()


class Anchored:
    """`objective` with the penalty added to its loss; the penalty is a figure too.

    It is added to the mean over the batch: with F a mean over frames too, it is as if lambda frames of earlier speech
    stood beside each frame.
    """

    def __init__(self, objective: Objective, anchor: Anchor) -> None:
        self.objective, self.anchor = objective, anchor
        self.figures = (*objective.figures, PENALTY)
        self.needs_text, self.needs_lattices = objective.needs_text, objective.needs_lattices
        self._on: dict[torch.device, tuple[Weights, Weights | None]] = {}

    def weight(self, pieces: Sequence[Piece]) -> float:
        return self.objective.weight(pieces)

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        scored = self.objective.loss(model, batch)
        start, importance = self._weights(scored.loss.device)
        penalty = quadratic_penalty(dict(model.named_parameters()), start, importance, self.anchor.strength)
        figures = {**scored.figures, PENALTY: penalty.detach() * scored.weight}
        return replace(scored, loss=scored.loss + penalty, figures=figures)

    def _weights(self, device: torch.device) -> tuple[Weights, Weights | None]:
        if device not in self._on:
            start, importance = self._read
            self._on[device] = _to(start, device), None if importance is None else _to(importance, device)
        return self._on[device]

    @cached_property
    def _read(self) -> tuple[Weights, Weights | None]:
        start, importance = read_weights(self.anchor.start)[0], None
        if self.anchor.importance is not None:
            importance = read_weights(self.anchor.importance)[0]
            assert all(importance[name].shape == start[name].shape for name in importance), "of this network"
        return start, importance


def _to(weights: Weights, device: torch.device) -> Weights:
    return {name: tensor.to(device) for name, tensor in weights.items()}
