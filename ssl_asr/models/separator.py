"""The encoder of the separator-transducer-segmenter: h_n = RecEnc(SepEnc_n(MixEnc(x))) for each output channel n.

Sklyar et al. 2022 (arXiv 2205.05199). The mixture encoder hears all talkers, each separation encoder keeps the turns
of one channel, and one recogniser encoder, with the same parameters for all channels, makes what a joiner needs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.models.lstm import Lstm
from ssl_asr.models.multiply_adds import inner_multiply_adds, multiply_adds
from ssl_asr.recipe import LstmNetwork, SeparatorNetwork

# Each copy of a separation encoder has noise on its weights, of so many of a tensor's own standard deviations: enough
# for copies to differ from the first step on, and too little to lose what was learned.
NOISE = 0.05


class NormalisedLstm(nn.Module):
    """LSTM layers, each followed by layer normalisation and dropout.

    The state is (h, c), each [layers, batch, units]. Outputs of padding mean nothing.
    """

    def __init__(self, inputs: int, layers: int, units: int, dropout: float) -> None:
        super().__init__()
        one = LstmNetwork(layers=1, units=units)
        self.layers = nn.ModuleList(Lstm(one, units if number else inputs) for number in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(units) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        hidden_btd, states = frames_btd, []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            before = None if state is None else tuple(each[number : number + 1] for each in state)
            hidden_btd, after = layer(hidden_btd, lengths_b, before)
            hidden_btd = self.dropout(norm(hidden_btd))
            states.append(after)
        return hidden_btd, None if state is None else _joined(states)


class Separator(Encoder[SeparatorNetwork]):
    """Of frames [batch, frames, inputs] it makes outputs [channels, batch, frames, width]; causal.

    The state is (h, c), each [layers, batch, units], with the layers of the mixture encoder, of the separation
    encoders, channel by channel, and of the recogniser encoder, which has each layer once for each channel.
    """

    is_causal = True

    def __init__(self, section: SeparatorNetwork, inputs: int) -> None:
        super().__init__(section, section.width)
        units, dropout = section.units, section.dropout
        self.mixture = NormalisedLstm(inputs, section.mixture_layers, units, dropout)
        self.separation = nn.ModuleList(
            NormalisedLstm(units, section.separation_layers, units, dropout) for _ in range(section.channels)
        )
        self.recogniser = NormalisedLstm(units, section.recogniser_layers, units, dropout)
        self.output = nn.Linear(units, section.width)

    @property
    def multiply_adds_per_frame(self) -> int:
        """What all channels share runs once for each of them."""
        again = multiply_adds(self.recogniser) + multiply_adds(self.output)
        return inner_multiply_adds(self) + (self.section.channels - 1) * again

    def initial_state(self, n: int) -> EncoderState:
        """The state before the first frame of `n` mixtures."""
        shape = (sum(self._layers), n, self.section.units)
        like = self.output.weight
        return like.new_zeros(shape), like.new_zeros(shape)

    def begin_as(self, start: Encoder[Any], rng: torch.Generator) -> None:
        """Of a separator of one channel, the separation encoder is copied into those of all channels.

        All copies but the first have noise, so that they can part.
        """
        assert isinstance(start, Separator), "a recipe lets it begin as no other network"
        weights = start.state_dict()
        for channel in range(start.section.channels, self.section.channels):
            for name, tensor in start.separation[0].state_dict().items():
                weights[f"separation.{channel}.{name}"] = _with_noise(tensor, rng)
        self.load_state_dict(weights)

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        """Outputs, and the state at each mixture's own end where one was given; `lengths_b` lies on the CPU.

        Outputs of padding mean nothing. Without a state, mixtures are whole.
        """
        channels, batch = self.section.channels, len(frames_btd)
        first, *separating, last = self._divided(state)
        mixed_btu, mixture_state = self.mixture(frames_btd, lengths_b, first)
        separated = [
            encoder(mixed_btu, lengths_b, before) for encoder, before in zip(self.separation, separating, strict=True)
        ]
        # All channels as one batch: the recogniser's parameters are the same for each.
        turns_mtu = torch.cat([hidden_btu for hidden_btu, _ in separated])
        folded = None if last is None else tuple(_folded(each, channels) for each in last)
        hidden_mtu, recogniser_state = self.recogniser(turns_mtu, lengths_b.repeat(channels), folded)
        outputs_nbte = self.output(hidden_mtu).unflatten(0, (channels, batch))
        if recogniser_state is None:
            return outputs_nbte, None
        unfolded = tuple(_unfolded(each, channels) for each in recogniser_state)
        return outputs_nbte, _joined([mixture_state, *(after for _, after in separated), unfolded])

    @property
    def _layers(self) -> list[int]:
        """Layers of the state: of the mixture encoder, of each separation encoder, of the recogniser encoder."""
        section = self.section
        separation = [section.separation_layers] * section.channels
        return [section.mixture_layers, *separation, section.channels * section.recogniser_layers]

    def _divided(self, state: EncoderState | None) -> list[EncoderState | None]:
        if state is None:
            return [None] * len(self._layers)
        return list(zip(*(each.split(self._layers) for each in state), strict=True))


def _with_noise(tensor: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    noise = torch.randn(tensor.shape, generator=rng, dtype=tensor.dtype)
    return tensor + NOISE * tensor.std(correction=0) * noise


def _joined(states: list[EncoderState]) -> EncoderState:
    """One state with the layers of all."""
    return tuple(torch.cat(parts) for parts in zip(*states, strict=True))


def _folded(state_mbu: torch.Tensor, channels: int) -> torch.Tensor:
    """[layers x channels, batch, units] to [layers, channels x batch, units]."""
    return state_mbu.unflatten(0, (-1, channels)).flatten(1, 2).contiguous()


def _unfolded(state_lmu: torch.Tensor, channels: int) -> torch.Tensor:
    """[layers, channels x batch, units] to [layers x channels, batch, units]."""
    return state_lmu.unflatten(1, (channels, -1)).flatten(0, 1)
