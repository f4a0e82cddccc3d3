"""The acoustic model: a stack of LSTM layers from stacked LFBE to senone logits.

Teacher and student are one class: the teacher runs in both directions, the student forwards only, with its
targets delayed by a few frames of look-ahead (Parthasarathi et al. 2019: 5x768 each, three frames). Global mean
and variance of the features are part of the network, so a weights file is all that a deployment needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class ModelSpec:
    """`inputs`: width of a 30 ms frame; `look_ahead`: 30 ms frames by which outputs lag their inputs."""

    inputs: int
    outputs: int
    layers: int
    units: int
    bidirectional: bool
    look_ahead: int = 0
    dropout: float = 0.0


class AcousticModel(nn.Module):
    """LSTM layers, then one linear layer to senone logits."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.zeros(spec.inputs))
        self.register_buffer("scale", torch.ones(spec.inputs))
        between = spec.dropout if spec.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            spec.inputs,
            spec.units,
            spec.layers,
            batch_first=True,
            bidirectional=spec.bidirectional,
            dropout=between,
        )
        self.dropout = nn.Dropout(spec.dropout)
        self.senones = nn.Linear(spec.units * (2 if spec.bidirectional else 1), spec.outputs)

    def set_statistics(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Global mean and standard deviation of the input, each [inputs]."""
        self.mean.copy_(mean)
        self.scale.copy_(1 / deviation)

    def normalise(self, frames_btd: torch.Tensor) -> torch.Tensor:
        return (frames_btd.float() - self.mean) * self.scale

    def forward(self, normalised_btd: torch.Tensor, lengths_b: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [batch, frames, senones] of normalised frames; `lengths_b` on the CPU where sequences are padded."""
        if lengths_b is None or not self.spec.bidirectional:
            hidden, _ = self.lstm(normalised_btd)  # forwards, padding comes after all that matters
        else:
            hidden = self._both_directions(normalised_btd, lengths_b)
        return self.senones(self.dropout(hidden))

    def _both_directions(self, hidden_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """The layers without their dropout, the backward direction begun at each sequence's own end.

        Packing says the same and takes 1.4 times as long on a CPU, where only padded batches have a fast kernel.
        """
        assert not self.training, "dropout between layers is left out here"
        turned = _turned(lengths_b, hidden_btd.shape[1]).to(hidden_btd.device)
        for layer in range(self.spec.layers):
            forwards = self._direction(hidden_btd, f"_l{layer}")
            backwards = self._direction(_rows(hidden_btd, turned), f"_l{layer}_reverse")
            hidden_btd = torch.cat([forwards, _rows(backwards, turned)], dim=2)
        return hidden_btd

    def _direction(self, hidden_btd: torch.Tensor, suffix: str) -> torch.Tensor:
        weights = [getattr(self.lstm, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        zeros = hidden_btd.new_zeros(1, len(hidden_btd), self.spec.units)
        return torch.lstm(hidden_btd, (zeros, zeros), weights, True, 1, 0.0, False, False, True)[0]

    @torch.inference_mode()
    def logits(self, utterances: list[torch.Tensor]) -> list[torch.Tensor]:
        """Logits [frames, senones] of each utterance [frames, inputs], as one padded batch, look-ahead undone."""
        ahead = self.spec.look_ahead
        # The last frame is repeated so that the outputs of the last `look_ahead` inputs can still be emitted.
        longer = [torch.cat([frames, frames[-1:].expand(ahead, -1)]) for frames in utterances]
        lengths = torch.tensor([len(frames) for frames in longer])
        batch = nn.utils.rnn.pad_sequence(longer, batch_first=True).to(self.mean.device)
        logits = self(self.normalise(batch), None if len(longer) == 1 else lengths)
        return [row[ahead:length] for row, length in zip(logits, lengths.tolist(), strict=True)]


def _turned(lengths_b: torch.Tensor, longest: int) -> torch.Tensor:
    """Rows of [batch x frames] that turn each sequence round and leave its padding behind it; their own inverse."""
    place_t, lengths_b1 = torch.arange(longest), lengths_b[:, None]
    turned_bt = torch.where(place_t < lengths_b1, lengths_b1 - 1 - place_t, place_t)
    return (turned_bt + torch.arange(len(lengths_b))[:, None] * longest).flatten()


def _rows(hidden_btd: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return hidden_btd.flatten(0, 1).index_select(0, index).view_as(hidden_btd)


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
