"""An adversary that gives utterances weights, to find those that the learner neglects; no group is known to it.

Adversarially reweighted learning (Lahoti et al. 2020; Jin et al. 2022 for speaker verification): the learner makes
the weighted loss small, the adversary makes it large. Both take one step at once: between them gradients change sign.
"""

from __future__ import annotations

import torch
from torch import nn

from ssl_asr.models.gradient_reversal import gradient_reversed

LEAST_MEAN = 1e-4


def normalised_weights(outputs_n: torch.Tensor) -> torch.Tensor:
    """From an adversary's outputs: (1 + f / max(mean f, 1e-4)) / 2 with f their sigmoid, of mean 1.

    Published ARL code has twice that. The half keeps the loss as large as without an adversary, so that clipping of
    gradients does the same to both.
    """
    shares_n = torch.sigmoid(outputs_n)
    return (1 + shares_n / shares_n.mean().clamp(min=LEAST_MEAN)) / 2


class Adversary(nn.Module):
    """One hidden layer without activation, as published; `inputs` is the width of what is known of an utterance."""

    def __init__(self, inputs: int, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.Linear(hidden, 1))

    def forward(self, known_nd: torch.Tensor) -> torch.Tensor:
        """Weights [n] of mean 1. Nothing flows back into `known_nd`; into the adversary, gradients come reversed."""
        outputs_n = self.layers(known_nd.detach()).squeeze(1)
        return gradient_reversed(normalised_weights(outputs_n))
