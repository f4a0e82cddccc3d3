"""The acoustic model: an encoder between normalised stacked LFBE and senone logits.

Teacher and student are one class with different encoders: the published teacher hears in both directions, the
student forwards only, its targets delayed by a few frames (Parthasarathi et al. 2019: 5x768 each, three frames).
Training, dev loss, labelling, decoding and streaming run `encode` and `classify`, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ssl_asr.models.normalised import NormalisedEncoder, with_look_ahead
from ssl_asr.recipe import NetworkSection


@dataclass(frozen=True)
class ModelSpec:
    """A network between `inputs`, the width of a 30 ms frame, and `outputs` senones."""

    network: NetworkSection
    inputs: int
    outputs: int

    def build(self) -> AcousticModel:
        return AcousticModel(self)


class AcousticModel(NormalisedEncoder):
    """Normalise, encode, then one linear layer to senone logits."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec.network, spec.inputs)
        self.spec = spec
        self.dropout = nn.Dropout(spec.network.dropout)
        self.senones = nn.Linear(self.encoder.width, spec.outputs)

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
        batch = nn.utils.rnn.pad_sequence(utterances, batch_first=True).to(self.mean.device)
        longer, lengths = with_look_ahead(batch, torch.tensor(list(map(len, utterances))), ahead)
        logits = self(longer, lengths)
        return [row[ahead:length] for row, length in zip(logits, lengths.tolist(), strict=True)]


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_cells(model: nn.Module) -> int:
    """LSTM cells of all layers and directions."""
    lstms = [module for module in model.modules() if isinstance(module, nn.LSTM)]
    return sum(each.num_layers * each.hidden_size * (2 if each.bidirectional else 1) for each in lstms)
