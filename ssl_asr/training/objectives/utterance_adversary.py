"""An adversary that gives utterances weights, to find those that the network neglects; no group is known to it.

Adversarially reweighted learning (Lahoti et al. 2020): the network makes the weighted loss small, the adversary makes
it large. Both take one step at once: between them gradients change sign.

It sees the spectrum of the whole utterance: mean and standard deviation of each mel bin over time. The spectrum tells
of voice, channel and noise. It is the same for all chunks of an utterance, and no mask, no dropout and no step of the
network changes it. The network's own outputs would do otherwise, and those of a whole utterance would cost another
pass. Published code shows the labels too; here these would be thousands of senones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ssl_asr.models.gradient_reversal import gradient_reversed
from ssl_asr.training.companion import Companion
from ssl_asr.training.data.batches import Piece
from ssl_asr.training.data.sources import seed_of

CODE_WIDTH = 64


class UtteranceAdversary(Companion):
    """One hidden layer without activation, as published; its last layer begins at zero, and so with equal weights.

    Weights are wanted from the share `pretrain_share` of the training on.
    """

    def __init__(self, inputs: int, *, hidden: int, largest_weight: float, pretrain_share: float) -> None:
        super().__init__()
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), last)
        self.largest_weight, self.pretrain_share = largest_weight, pretrain_share
        self.is_active = False

    def set_progress(self, progress: float) -> None:
        """Takes the share of the training's schedule that the next steps reach."""
        self.is_active = progress > self.pretrain_share

    def forward(self, known_bd: torch.Tensor, frames_b: torch.Tensor) -> torch.Tensor:
        """Weights [batch] of utterances that count as `frames_b`; into the adversary, gradients come reversed."""
        outputs_b = self.layers(known_bd).squeeze(1)
        return gradient_reversed(bounded_weights(outputs_b, frames_b, self.largest_weight))


def bounded_weights(outputs_b: torch.Tensor, frames_b: torch.Tensor, largest: float) -> torch.Tensor:
    """Weights [batch] between 1/2 and `largest`, whose mean over frames is 1, from an adversary's outputs.

    Published code has 1 + f / mean f, with f the sigmoid of the outputs. These are half of that, with outputs o first
    bent to L tanh(o / L), L = ln(2 largest - 1): then no f is more than 2 largest - 1 times another. `frames_b` are
    not all 0.
    """
    bound = math.log(2 * largest - 1)
    shares_b = torch.sigmoid(bound * torch.tanh(outputs_b / bound))
    mean = (frames_b * shares_b).sum() / frames_b.sum()
    return (1 + shares_b / mean) / 2


def spectra(pieces: Sequence[Piece], mean_d: torch.Tensor, scale_d: torch.Tensor) -> torch.Tensor:
    """[batch, 2 x bins]: mean and deviation of each bin over the piece's whole utterance, normalised as a network's.

    `mean_d` and `scale_d` are those of its inputs: stacked frames, which begin with one frame.
    """
    found_b2d = torch.from_numpy(np.stack([piece.example.spectrum for piece in pieces])).to(mean_d.device)
    bins = found_b2d.shape[2]
    means_bd = (found_b2d[:, 0] - mean_d[:bins]) * scale_d[:bins]
    return torch.cat([means_bd, found_b2d[:, 1] * scale_d[:bins]], 1)


def group_codes(groups: Sequence[str]) -> torch.Tensor:
    """[groups, CODE_WIDTH]: a fixed random vector of +1 and -1 for each name; zeros where it is empty.

    A linear network can give every one of up to CODE_WIDTH names its own output, and no list of names is needed.
    """
    drawn = {name: np.random.default_rng(seed_of("group", name)).integers(0, 2, CODE_WIDTH) for name in {*groups}}
    codes = [2 * drawn[name] - 1 if name else np.zeros(CODE_WIDTH) for name in groups]
    return torch.from_numpy(np.array(codes, np.float32).reshape(-1, CODE_WIDTH))
