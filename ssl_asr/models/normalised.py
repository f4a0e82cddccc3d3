"""What models of every kind begin with: frames are normalised by global statistics, then encoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ssl_asr.models.encoder import Encoder, EncoderState, build_encoder
from ssl_asr.recipe import NetworkSection

Augment = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of normalised frames [B, T, D] and lengths [B]


class FrameNetwork(nn.Module):
    """A network whose inputs are frames, which one encoder reads: what a training loop trains."""

    @property
    def frame_encoder(self) -> Encoder[Any]:
        """It may have a look-ahead, and a loss and figures of its own."""
        raise NotImplementedError


class NormalisedEncoder(FrameNetwork):
    """A network that takes frames as they are stored; `augment` changes normalised frames in training.

    `inputs` is the width of a frame; a subclass may give the encoder `extra` inputs behind them.
    Global mean and variance of the features are part of the model, so a weights file is all that a deployment needs.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    constant_buffers = ("mean", "scale")

    def __init__(self, network: NetworkSection, inputs: int, extra: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.encoder: Encoder[Any] = build_encoder(network, inputs + extra)
        self.augment: Augment | None = None

    @property
    def frame_encoder(self) -> Encoder[Any]:
        return self.encoder

    def set_statistics(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Global mean and standard deviation of the input, each [inputs]."""
        self.mean.copy_(mean)
        self.scale.copy_(1 / deviation)

    def normalise(self, frames_btd: torch.Tensor) -> torch.Tensor:
        return (frames_btd.float() - self.mean) * self.scale

    def encode(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        """The encoder's outputs [batch, frames, width] for frames as they are stored, and its state if one is given.

        `lengths_b` lies on the CPU. Padding is set to the mean.
        """
        return self._encode(frames_btd, lengths_b, state)

    def _encode(
        self,
        frames_btd: torch.Tensor,
        lengths_b: torch.Tensor,
        state: EncoderState | None,
        extra_be: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, EncoderState | None]:
        """With the same extra inputs beside all frames of a row."""
        inputs = self.normalise(frames_btd)
        if self.training and self.augment is not None:
            inputs = self.augment(inputs, lengths_b)
        longest = inputs.shape[1]
        if extra_be is not None:
            inputs = torch.cat([inputs, extra_be[:, None].expand(-1, longest, -1)], 2)
        if int(lengths_b.min()) < longest:
            inside_bt = torch.arange(longest)[None, :] < lengths_b[:, None]
            inputs = inputs * inside_bt[:, :, None].to(inputs.device)
        hidden_btd, after = self.encoder(inputs, lengths_b, state)
        return hidden_btd, after


def with_look_ahead(
    frames_btd: torch.Tensor, lengths_b: torch.Tensor, look_ahead: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Batch and lengths with each utterance's last frame repeated, so that outputs of its last inputs can be emitted.

    `lengths_b` lies on the CPU; an utterance has a frame at least.
    """
    place_bt = torch.minimum(torch.arange(frames_btd.shape[1] + look_ahead), lengths_b[:, None] - 1)
    rows_b1 = torch.arange(len(frames_btd), device=frames_btd.device)[:, None]
    return frames_btd[rows_b1, place_bt.to(frames_btd.device)], lengths_b + look_ahead
