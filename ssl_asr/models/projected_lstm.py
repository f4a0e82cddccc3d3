"""LSTM layers with a projection and Swish behind each: the encoder of the published RNN-T baseline.

Radfar et al. 2022 (ConvRNN-T) compare with 7 x 640 units and projections to 512. The projection is not part of the
recurrence, as it is in torch's `proj_size`: an LSTM layer's state keeps all its units.
"""

from __future__ import annotations

import torch
from torch import nn

from ssl_asr.models.causal import CausalSequential
from ssl_asr.models.causal_layers import CausalLstm
from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.recipe import ProjectedLayers, ProjectedLstmNetwork


class ProjectedLstm(Encoder[ProjectedLstmNetwork]):
    """The state is h and c of each layer in turn, each [1, batch, units]."""

    is_causal = True

    def __init__(self, section: ProjectedLstmNetwork, inputs: int) -> None:
        super().__init__(section, section.projection)
        self.stack = projected_layers(section, inputs)

    def initial_state(self, n: int) -> EncoderState:
        return self.stack.initial_state(n)

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        outputs_btd, after = self.stack(frames_btd, lengths_b, state)
        return outputs_btd, after


def projected_layers(section: ProjectedLayers, inputs: int) -> CausalSequential:
    """From [batch, frames, inputs] to [batch, frames, projection]; dropout lies between the layers."""
    layers: list[nn.Module] = []
    for width in (inputs, *[section.projection] * (section.layers - 1)):
        if layers:
            layers.append(nn.Dropout(section.dropout))
        layers += [CausalLstm(width, section.units), nn.Linear(section.units, section.projection), nn.SiLU()]
    return CausalSequential(*layers)
