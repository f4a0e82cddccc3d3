"""The encoder of ConvRNN-T: a local and a global CNN before projected LSTM layers.

Radfar et al. 2022, "ConvRNN-T: Convolutional Augmented Recurrent Neural Network Transducers for Streaming Speech
Recognition". The layout is the one that gives the published numbers of parameters: the "depth-wise" dilated
convolution is a full one from 2 D to D channels, squeeze-excite has two D x D matrices, and a linear layer makes D
values of the local CNN's maps. The local CNN costs by far the most: at the published size 101 M multiply-adds a
frame, 99 M of them in its convolutions, against 19 M in the LSTM layers. A stream's state is 1 MB, mostly its maps.

The paper normalises by BatchNorm. Here it is LayerNorm: averaging models (BMUF) has no rule for BatchNorm's running
statistics, which are not parameters, and BatchNorm would also see the padding of a batch.

Three parts are not published: a LayerNorm behind the local CNN, one behind the layer that joins both CNNs, and a
linear layer that adds the frames themselves to what the LSTM layers hear. Without them the CNNs put out a growing
constant, and the LSTM layers hear nothing (docs/pitfalls.md).
"""

from __future__ import annotations

from typing import Literal, TypeVar

import torch
from torch import nn

from ssl_asr.models.causal import CausalModule, CausalSequential, Residual, joined_state, split_state
from ssl_asr.models.causal_layers import CausalConvolution, SqueezeExcite
from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.models.projected_lstm import projected_layers
from ssl_asr.recipe import ConvRnntNetwork

LayerT = TypeVar("LayerT", nn.Conv2d, nn.Linear)


class ConvRnnt(Encoder[ConvRnntNetwork]):
    """The local CNN sees the frames, the global CNN the local one's outputs, and the LSTM layers all of these.

    The state is that of the local CNN, of the global CNN and of the LSTM layers, one behind the other. Its running
    means go on for as long as it is carried. Training hears single utterances, so begin each one with a new state.
    """

    is_causal = True

    def __init__(self, section: ConvRnntNetwork, inputs: int) -> None:
        super().__init__(section, section.projection)
        self.local_cnn = local_cnn(section, inputs)
        self.direct = nn.Linear(inputs, section.width)
        self.global_cnn = global_cnn(section)
        self.join = nn.Linear(2 * section.width, section.width)
        self.norm = nn.LayerNorm(section.width)
        self.recurrent = projected_layers(section, section.width)

    def initial_state(self, n: int) -> EncoderState:
        return joined_state(each.initial_state(n) for each in self._parts())

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        before = split_state(state, *self._parts())
        local_btd, of_local = self.local_cnn(frames_btd, lengths_b, before[0])
        global_btd, of_global = self.global_cnn(local_btd, lengths_b, before[1])
        joined_btd = self.norm(self.join(torch.cat([local_btd, global_btd], 2))) + self.direct(frames_btd)
        outputs_btd, of_lstms = self.recurrent(joined_btd, lengths_b, before[2])
        return outputs_btd, None if state is None else joined_state((of_local, of_global, of_lstms))

    def _parts(self) -> tuple[CausalModule, ...]:
        return self.local_cnn, self.global_cnn, self.recurrent


def local_cnn(section: ConvRnntNetwork, inputs: int) -> CausalSequential:
    """From [batch, frames, inputs] to [batch, frames, width]: convolutions over time and features, each with ReLU.

    Zeros stand before the first frame and on both sides of the features.
    """
    kernel, beside = section.local_kernel, section.local_kernel // 2
    layers: list[nn.Module] = [nn.Unflatten(2, (inputs, 1))]
    for before, after in zip((1, *section.local_channels), section.local_channels, strict=False):
        convolution = _initialised(nn.Conv2d(before, after, kernel, padding=(0, beside)), "relu")
        layers += [CausalConvolution(convolution, (inputs,)), nn.ReLU()]
    flat = inputs * section.local_channels[-1]
    last = _initialised(nn.Linear(flat, section.width), "linear")
    return CausalSequential(*layers, nn.Flatten(2), last, nn.LayerNorm(section.width))


def _initialised(layer: LayerT, then: Literal["relu", "linear"]) -> LayerT:
    """Weights that keep the size of what goes through (He et al. 2015), and no bias.

    With torch's own, the variance falls to a sixth in each layer, and the biases drown what is heard.
    """
    nn.init.kaiming_normal_(layer.weight, nonlinearity=then)
    assert layer.bias is not None, "a layer with a bias"
    nn.init.zeros_(layer.bias)
    return layer


def global_cnn(section: ConvRnntNetwork) -> CausalSequential:
    """Blocks of [batch, frames, width]; block i's convolution skips 2^i frames between those that it sees."""
    return CausalSequential(*(Residual(_global_block(section, 2**i)) for i in range(section.global_blocks)))


def _global_block(section: ConvRnntNetwork, dilation: int) -> CausalSequential:
    width = section.width
    return CausalSequential(
        nn.Linear(width, 2 * width),
        nn.LayerNorm(2 * width),
        nn.ReLU(),
        CausalConvolution(nn.Conv1d(2 * width, width, section.global_kernel, dilation=dilation)),
        nn.LayerNorm(width),
        nn.ReLU(),
        nn.Linear(width, width),
        SqueezeExcite(width),
        nn.Dropout(section.dropout),
    )
