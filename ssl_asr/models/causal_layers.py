"""The causal layers that carry a state: a convolution over time, an LSTM, and squeeze-excite by a running mean."""

from __future__ import annotations

import math

import torch
from torch import nn

from ssl_asr.models.causal import CausalModule, after_past, last_frames
from ssl_asr.models.encoder import EncoderState
from ssl_asr.models.lstm import run_lstm


class CausalConvolution(CausalModule):
    """A convolution over frames [batch, frames, *beside, channels]; an output sees its frame and `context` before it.

    The first dimension of the kernel is time. The state is the last `context` frames, [context, batch, *beside,
    channels], zeros at the begin: the zero padding of a convolution in one piece.
    """

    def __init__(self, convolution: nn.Conv1d | nn.Conv2d, beside: tuple[int, ...] = ()) -> None:
        super().__init__(state_tensors=1)
        self.convolution, self.beside = convolution, beside
        self.context = convolution.dilation[0] * (convolution.kernel_size[0] - 1)

    @property
    def multiply_adds_per_frame(self) -> int:
        """Zeros beside the frame are multiplied too."""
        return self.convolution.weight.numel() * math.prod(self.beside)

    def initial_state(self, n: int) -> EncoderState:
        shape = (self.context, n, *self.beside, self.convolution.in_channels)
        return (self.convolution.weight.new_zeros(shape),)

    def forward(
        self, frames: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        (past,) = self.initial_state(len(frames)) if state is None else state
        longer = after_past(past, frames)
        outputs = self.convolution(longer.movedim(-1, 1)).movedim(1, -1)
        return outputs, None if state is None else (last_frames(longer, lengths_b, self.context),)


class CausalLstm(CausalModule):
    """One LSTM layer; the state is (h, c), each [1, batch, units]."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(state_tensors=2)
        self.lstm = nn.LSTM(inputs, units, batch_first=True)

    def initial_state(self, n: int) -> EncoderState:
        shape, like = (1, n, self.lstm.hidden_size), next(self.lstm.parameters())
        return like.new_zeros(shape), like.new_zeros(shape)

    def forward(
        self, frames: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        return run_lstm(self.lstm, frames, lengths_b, state)


class SqueezeExcite(CausalModule):
    """z_t * sigmoid(W1 relu(W2 m_t)), where m_t is the mean of z_1 to z_t.

    Squeeze-excite (Hu et al. 2018) by a running mean (Radfar et al. 2022). The state is the sum of all frames so far,
    and in the last column their number, [1, batch, width + 1]. In float64 it is the same for any chunks and exact for
    days. In float32 each chunk would round it, and the number would stand still from 2^24 frames (140 hours) on.
    """

    def __init__(self, width: int) -> None:
        super().__init__(state_tensors=1)
        self.squeeze, self.excite = nn.Linear(width, width), nn.Linear(width, width)

    def initial_state(self, n: int) -> EncoderState:
        weight = self.squeeze.weight
        return (weight.new_zeros(1, n, weight.shape[1] + 1, dtype=torch.float64),)

    def forward(
        self, frames: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        (past,) = self.initial_state(len(frames)) if state is None else state
        counted_btd = nn.functional.pad(frames.double(), (0, 1), value=1.0)
        sums_btd = after_past(past, counted_btd).cumsum(1)  # the first is the past's own
        mean_btd = (sums_btd[:, 1:, :-1] / sums_btd[:, 1:, -1:]).to(frames.dtype)
        gates_btd = torch.sigmoid(self.excite(torch.relu(self.squeeze(mean_btd))))
        return frames * gates_btd, None if state is None else (last_frames(sums_btd, lengths_b, 1),)
