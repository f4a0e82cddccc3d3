"""The acoustic model: an encoder between normalised stacked LFBE and senone logits.

Teacher and student are one class with different encoders: the published teacher hears in both directions, the
student forwards only, its targets delayed by a few frames (Parthasarathi et al. 2019: 5x768 each, three frames).
Global mean and variance of the features are part of the model, so a weights file is all that a deployment needs.
Training, dev loss, labelling, decoding and streaming run `encode` and `classify`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ssl_asr.models.encoder import EncoderState, build_encoder
from ssl_asr.recipe import NetworkSection

Augment = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # of normalised frames [B, T, D] and lengths [B]


@dataclass(frozen=True)
class ModelSpec:
    """A network between `inputs`, the width of a 30 ms frame, and `outputs` senones."""

    network: NetworkSection
    inputs: int
    outputs: int


class AcousticModel(nn.Module):
    """Normalise, encode, then one linear layer to senone logits; `augment` changes normalised frames in training."""

    mean: torch.Tensor
    scale: torch.Tensor
    constant_buffers = ("mean", "scale")

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.zeros(spec.inputs))
        self.register_buffer("scale", torch.ones(spec.inputs))
        self.encoder = build_encoder(spec.network, spec.inputs)
        self.dropout = nn.Dropout(spec.network.dropout)
        self.senones = nn.Linear(self.encoder.width, spec.outputs)
        self.augment: Augment | None = None

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
        inputs = self.normalise(frames_btd)
        if self.training and self.augment is not None:
            inputs = self.augment(inputs, lengths_b)
        longest = inputs.shape[1]
        if int(lengths_b.min()) < longest:
            inside_bt = torch.arange(longest)[None, :] < lengths_b[:, None]
            inputs = inputs * inside_bt[:, :, None].to(inputs.device)
        hidden_btd, after = self.encoder(inputs, lengths_b, state)
        return hidden_btd, after

    def classify(self, hidden_nd: torch.Tensor) -> torch.Tensor:
        """Logits [..., senones] of encoder outputs. It is the widest layer: give it no more than is wanted."""
        logits: torch.Tensor = self.senones(self.dropout(hidden_nd))
        return logits

    def forward(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """Logits [batch, frames, senones] of whole utterances."""
        return self.classify(self.encode(frames_btd, lengths_b)[0])

    @torch.inference_mode()
    def logits(self, utterances: list[torch.Tensor]) -> list[torch.Tensor]:
        """Logits [frames, senones] of each utterance [frames, inputs], as one padded batch, without the delay."""
        ahead = self.encoder.look_ahead
        # The last frame is repeated so that the outputs of the last `look_ahead` inputs can still be emitted.
        longer = [torch.cat([frames, frames[-1:].expand(ahead, -1)]) for frames in utterances]
        lengths = torch.tensor([len(frames) for frames in longer])
        batch = nn.utils.rnn.pad_sequence(longer, batch_first=True).to(self.mean.device)
        logits = self(batch, lengths)
        return [row[ahead:length] for row, length in zip(logits, lengths.tolist(), strict=True)]


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_cells(model: nn.Module) -> int:
    """LSTM cells of all layers and directions."""
    lstms = [module for module in model.modules() if isinstance(module, nn.LSTM)]
    return sum(each.num_layers * each.hidden_size * (2 if each.bidirectional else 1) for each in lstms)
