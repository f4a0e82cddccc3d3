"""Arbitrators: from a frame to the logits of its gates; a gate's keep probability is their sigmoid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import nn

from ssl_asr.models.encoder import EncoderState
from ssl_asr.models.lstm import Lstm
from ssl_asr.recipe import Gating, LstmNetwork

OPEN = 2.0  # the bias at the start of training: nearly all modules run
SURE = 1e4  # the logit of a gate that is certain
PERIOD = 4096  # frames, after which random gates repeat


class Arbitrator(nn.Module, ABC):
    """Causal. `shape` is (layers, gates of a layer); `states` is the number of tensors in its state."""

    states = 0

    def __init__(self, layers: int, gates: int) -> None:
        super().__init__()
        self.shape = (layers, gates)

    def initial_state(self, n: int) -> EncoderState:
        return ()

    @abstractmethod
    def forward(
        self, inputs_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None, begins_b: torch.Tensor
    ) -> tuple[torch.Tensor, EncoderState]:
        """Logits [B, T, layers, gates], and the state after, empty where none was given.

        `begins_b` are the places of the first frames in their utterances, [B].
        """


class FeedForwardArbitrator(Arbitrator):
    """It decides by the frame alone."""

    def __init__(self, gating: Gating, inputs: int, layers: int, gates: int) -> None:
        super().__init__(layers, gates)
        widths = [inputs, *[gating.units] * gating.layers]
        linear = [nn.Linear(*pair) for pair in pairwise(widths)]
        self.body = nn.Sequential(*(each for layer in linear for each in (layer, nn.ReLU())))
        self.decide = _deciding(gating.units, layers * gates)

    def forward(
        self, inputs_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None, begins_b: torch.Tensor
    ) -> tuple[torch.Tensor, EncoderState]:
        return self.decide(self.body(inputs_btd)).unflatten(-1, self.shape), ()


class LstmArbitrator(Arbitrator):
    """It decides by the frame and those before."""

    states = 2

    def __init__(self, gating: Gating, inputs: int, layers: int, gates: int) -> None:
        super().__init__(layers, gates)
        self.body = Lstm(LstmNetwork(layers=gating.layers, units=gating.units, dropout=0.0), inputs)
        self.decide = _deciding(gating.units, layers * gates)

    def initial_state(self, n: int) -> EncoderState:
        return self.body.initial_state(n)

    def forward(
        self, inputs_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None, begins_b: torch.Tensor
    ) -> tuple[torch.Tensor, EncoderState]:
        hidden_btd, after = self.body(inputs_btd, lengths_b, state)
        return self.decide(hidden_btd).unflatten(-1, self.shape), after or ()


class RandomArbitrator(Arbitrator):
    """Each gate is open with one probability: drawn anew in training, else by a table of the frame's place."""

    table: torch.Tensor
    constant_buffers = ("table",)

    def __init__(self, keep_rate: float, layers: int, gates: int, seed: int) -> None:
        super().__init__(layers, gates)
        self.keep_rate = keep_rate
        chance = torch.Generator().manual_seed(seed)
        table = torch.rand(PERIOD, layers, gates, generator=chance, device="cpu") < keep_rate
        self.register_buffer("table", table, persistent=False)

    def forward(
        self, inputs_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None, begins_b: torch.Tensor
    ) -> tuple[torch.Tensor, EncoderState]:
        n, longest = inputs_btd.shape[:2]
        if self.training:
            kept = torch.rand(n, longest, *self.shape, device=inputs_btd.device) < self.keep_rate
        else:
            places_bt = begins_b[:, None] + torch.arange(longest, device=begins_b.device)
            kept = self.table[places_bt % PERIOD]
        return (2 * kept.to(inputs_btd.dtype) - 1) * SURE, ()


def build_arbitrator(gating: Gating, inputs: int, layers: range, gates: int) -> Arbitrator:
    """For these layers; `inputs` is the width of what it reads."""
    if gating.arbitrator == "random":
        return RandomArbitrator(gating.keep_rate, len(layers), gates, seed=layers.start)
    if gating.arbitrator == "lstm":
        return LstmArbitrator(gating, inputs, len(layers), gates)
    return FeedForwardArbitrator(gating, inputs, len(layers), gates)


def _deciding(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.constant_(linear.bias, OPEN)
    return linear
