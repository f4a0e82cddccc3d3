"""Arbitrators: from a frame to the logits of its gates; a gate's keep probability is their sigmoid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from ssl_asr.models.encoder import EncoderState
from ssl_asr.models.lstm import Lstm
from ssl_asr.models.transformer.gates import Parts
from ssl_asr.recipe import Gating, LstmNetwork

OPEN = 2.0  # the bias at the start of training: nearly all modules run
SURE = 1e4  # the logit of a gate that is certain
PERIOD = 4096  # frames, after which random gates repeat


class Arbitrator(nn.Module, ABC):
    """Causal. `shape` is (layers, gates of a layer); `states` is the number of tensors in its state.

    `begun` is False in the part of a training in which no gate is to close; a network that is not in training is
    beyond it.
    """

    states = 0
    begun = True

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
    """A gate is open with the probability `rates_g` of its place in a layer; before it has begun, all gates are open.

    They are drawn anew in training, else by a table of the frame's place.
    """

    rates_g: torch.Tensor
    table: torch.Tensor
    constant_buffers = ("rates_g", "table")

    def __init__(self, rates_g: torch.Tensor, layers: int, seed: int) -> None:
        super().__init__(layers, len(rates_g))
        chance = torch.Generator().manual_seed(seed)
        table = torch.rand(PERIOD, layers, len(rates_g), generator=chance, device="cpu") < rates_g
        self.register_buffer("rates_g", rates_g, persistent=False)
        self.register_buffer("table", table, persistent=False)

    def forward(
        self, inputs_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None, begins_b: torch.Tensor
    ) -> tuple[torch.Tensor, EncoderState]:
        n, longest = inputs_btd.shape[:2]
        if not self.begun:
            kept = inputs_btd.new_ones(n, longest, *self.shape, dtype=torch.bool)
        elif self.training:
            kept = torch.rand(n, longest, *self.shape, device=inputs_btd.device) < self.rates_g
        else:
            places_bt = begins_b[:, None] + torch.arange(longest, device=begins_b.device)
            kept = self.table[places_bt % PERIOD]
        return (2 * kept.to(inputs_btd.dtype) - 1) * SURE, ()


def build_arbitrator(gating: Gating, inputs: int, layers: range, parts: Parts) -> Arbitrator:
    """For these layers; `inputs` is the width of what it reads, `parts` are the gates of a layer."""
    if gating.arbitrator == "random":
        return RandomArbitrator(_by_gate(gating.random_rates, parts), len(layers), seed=layers.start)
    if gating.arbitrator == "lstm":
        return LstmArbitrator(gating, inputs, len(layers), parts.count)
    return FeedForwardArbitrator(gating, inputs, len(layers), parts.count)


def _by_gate(rates: Sequence[float], parts: Parts) -> torch.Tensor:
    """Of the rates of feed-forward modules, queries and keys, each gate's [G]."""
    found_g = torch.empty(parts.count, device="cpu")
    for rate, part in zip(rates, (parts.feed_forward, parts.queries, parts.keys), strict=True):
        if part is not None:
            found_g[part] = rate
    return found_g


def _deciding(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.constant_(linear.bias, OPEN)
    return linear
