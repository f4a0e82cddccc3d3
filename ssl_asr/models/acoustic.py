"""The acoustic model: an encoder between normalised stacked LFBE and senone logits.

Teacher and student are one class with different encoders: the published teacher hears in both directions, the
student forwards only, its targets delayed by a few frames (Parthasarathi et al. 2019: 5x768 each, three frames).
Training, dev loss, labelling, decoding and streaming run `encode` and `classify`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ssl_asr.models.cohort_input import UNKNOWN, CohortInput, widened
from ssl_asr.models.encoder import EncoderState
from ssl_asr.models.normalised import NormalisedEncoder, with_look_ahead
from ssl_asr.recipe import NetworkSection, SeparatorNetwork


@dataclass(frozen=True)
class ModelSpec:
    """A network between `inputs`, the width of a 30 ms frame, and `outputs` senones.

    With `cohorts` it is told the cohort of each speaker too.
    """

    network: NetworkSection
    inputs: int
    outputs: int
    cohorts: CohortInput | None = None

    def build(self) -> AcousticModel:
        return AcousticModel(self)


class AcousticModel(NormalisedEncoder):
    """Normalise, encode, then one linear layer to senone logits."""

    def __init__(self, spec: ModelSpec) -> None:
        cohorts = spec.cohorts
        super().__init__(spec.network, spec.inputs, 0 if cohorts is None else cohorts.dimensions)
        self.spec = spec
        self.dropout = nn.Dropout(spec.network.dropout)
        self.senones = nn.Linear(self.encoder.width, spec.outputs)
        # The row of UNKNOWN is zero and stays so.
        self.cohorts = (
            None if cohorts is None else nn.Embedding(len(cohorts.names) + 1, cohorts.dimensions, padding_idx=UNKNOWN)
        )

    def encode(
        self,
        frames_btd: torch.Tensor,
        lengths_b: torch.Tensor,
        state: EncoderState | None = None,
        cohorts_b: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, EncoderState | None]:
        """As of every model; `cohorts_b` numbers the speakers' cohorts, None: all are UNKNOWN."""
        extra_be = None
        if self.cohorts is None:
            assert cohorts_b is None, "a network that is told no cohort"
        else:
            if cohorts_b is None:
                cohorts_b = torch.full((len(frames_btd),), UNKNOWN, device=frames_btd.device)
            extra_be = self.cohorts(cohorts_b)
        hidden, after = self._encode(frames_btd, lengths_b, state, extra_be)
        # A separator of one channel hears one talker, as any other acoustic model does.
        return (hidden.squeeze(0) if isinstance(self.encoder.section, SeparatorNetwork) else hidden), after

    def classify(self, hidden_nd: torch.Tensor) -> torch.Tensor:
        """Logits [..., senones] of encoder outputs. It is the widest layer: give it no more than is wanted."""
        logits: torch.Tensor = self.senones(self.dropout(hidden_nd))
        return logits

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, cohorts_b: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits [batch, frames, senones] of whole utterances."""
        return self.classify(self.encode(frames_btd, lengths_b, cohorts_b=cohorts_b)[0])

    @torch.inference_mode()
    def logits(self, utterances: list[torch.Tensor], cohorts: Sequence[int] | None = None) -> list[torch.Tensor]:
        """Logits [frames, senones] of each utterance [frames, inputs], as one padded batch, without the delay.

        `cohorts` are the numbers of the speakers' cohorts, None: all are UNKNOWN.
        """
        ahead = self.encoder.look_ahead
        batch = nn.utils.rnn.pad_sequence(utterances, batch_first=True).to(self.mean.device)
        longer, lengths = with_look_ahead(batch, torch.tensor(list(map(len, utterances))), ahead)
        told = None if cohorts is None else torch.tensor(cohorts, device=self.mean.device)
        logits = self(longer, lengths, told)
        return [row[ahead:length] for row, length in zip(logits, lengths.tolist(), strict=True)]


def check_takes_cohorts(spec: ModelSpec, cohorts: CohortInput) -> None:
    """ValueError where the network can't have their embeddings as inputs beside its frames."""
    with torch.device("meta"):  # shapes without memory
        narrow, wide = spec.build(), replace(spec, cohorts=cohorts).build()
        widened(narrow.state_dict(), wide.state_dict(), cohorts.dimensions)


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_cells(model: nn.Module) -> int:
    """LSTM cells of all layers and directions."""
    lstms = [module for module in model.modules() if isinstance(module, nn.LSTM)]
    return sum(each.num_layers * each.hidden_size * (2 if each.bidirectional else 1) for each in lstms)
