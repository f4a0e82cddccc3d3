"""The predictor of a transducer: what the labels so far say of the next one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import torch
from torch import nn
from torch.nn import functional

from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.recipe.choice import listed
from ssl_asr.recipe.predictor import PREDICTORS, LstmPredictor, PredictorSection, StatelessPredictor

# What a predictor carries from one label to the next: tensors of which dimension 1 is the batch, as an encoder's.
PredictorState = tuple[torch.Tensor, ...]
SectionT = TypeVar("SectionT", bound=PredictorSection)


class Predictor(nn.Module, ABC, Generic[SectionT]):
    """Built from its section of the recipe and the number of labels, blank included. `width` is that of its outputs.

    Every sequence begins with a blank. Steps from that blank on give what `forward` gives at once.
    """

    def __init__(self, section: SectionT, labels: int) -> None:
        super().__init__()
        self.section, self.labels, self.width = section, labels, section.units

    @abstractmethod
    def forward(self, labels_bu: torch.Tensor) -> torch.Tensor:
        """Outputs [B, U + 1, width] after no label, after the first and so on; those after padding mean nothing."""

    @abstractmethod
    def initial_state(self, n: int) -> PredictorState:
        """That of `n` sequences before the blank that they begin with."""

    @abstractmethod
    def step(self, labels_b: torch.Tensor, state: PredictorState) -> tuple[torch.Tensor, PredictorState]:
        """Outputs [B, width] after one more label each, and the state there."""

    def begin(self, n: int) -> tuple[torch.Tensor, PredictorState]:
        """Outputs [n, width] and state of `n` sequences without a label."""
        device = next(self.parameters()).device
        return self.step(torch.full((n,), BLANK_ID, device=device), self.initial_state(n))


class Lstm(Predictor[LstmPredictor]):
    """Embedded labels through LSTM layers; the state is (h, c), each [layers, batch, units]."""

    def __init__(self, section: LstmPredictor, labels: int) -> None:
        super().__init__(section, labels)
        self.embedding = nn.Embedding(labels, section.embedding)
        between = section.dropout if section.layers > 1 else 0.0
        self.lstm = nn.LSTM(section.embedding, section.units, section.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(section.dropout)

    def forward(self, labels_bu: torch.Tensor) -> torch.Tensor:
        begun_bu = functional.pad(labels_bu, (1, 0), value=BLANK_ID)
        outputs: torch.Tensor = self.dropout(self.lstm(self.dropout(self.embedding(begun_bu)))[0])
        return outputs

    def initial_state(self, n: int) -> PredictorState:
        zeros = next(self.lstm.parameters()).new_zeros(self.section.layers, n, self.section.units)
        return zeros, zeros

    def step(self, labels_b: torch.Tensor, state: PredictorState) -> tuple[torch.Tensor, PredictorState]:
        outputs, after = self.lstm(self.dropout(self.embedding(labels_b[:, None])), state)
        return self.dropout(outputs[:, 0]), after


class Stateless(Predictor[StatelessPredictor]):
    """A convolution over the embeddings of the last labels, four channels at a time, as in icefall.

    The state is one tensor [context, batch]: the last labels, -1 before the first. Those have no embedding.
    """

    def __init__(self, section: StatelessPredictor, labels: int) -> None:
        super().__init__(section, labels)
        self.embedding = nn.Embedding(labels, section.units)
        self.convolution = nn.Conv1d(
            section.units, section.units, section.context, groups=section.units // 4, bias=False
        )
        self.dropout = nn.Dropout(section.dropout)

    def forward(self, labels_bu: torch.Tensor) -> torch.Tensor:
        begun_bu = functional.pad(labels_bu, (1, 0), value=BLANK_ID)
        return self._convolved(functional.pad(begun_bu, (self.section.context - 1, 0), value=-1))

    def initial_state(self, n: int) -> PredictorState:
        return (torch.full((self.section.context, n), -1, device=self.embedding.weight.device),)

    def step(self, labels_b: torch.Tensor, state: PredictorState) -> tuple[torch.Tensor, PredictorState]:
        last_cb = torch.cat([state[0][1:], labels_b[None]])
        return self._convolved(last_cb.T)[:, 0], (last_cb,)

    def _convolved(self, labels_bu: torch.Tensor) -> torch.Tensor:
        """Outputs [B, U - context + 1, width]"""
        embedded_bud = self.embedding(labels_bu.clamp(min=0)) * (labels_bu >= 0)[:, :, None]
        outputs_bdu = self.convolution(self.dropout(embedded_bud).transpose(1, 2))
        return self.dropout(outputs_bdu.relu().transpose(1, 2))


def build_predictor(section: PredictorSection, labels: int) -> Predictor[Any]:
    """By the table of predictors."""
    predictor: Predictor[Any] = listed(PREDICTORS, section.kind).load()(section, labels)
    return predictor


def rows_of(state: PredictorState, rows: torch.Tensor) -> PredictorState:
    """The state of these sequences, in this order."""
    return tuple(each.index_select(1, rows) for each in state)
