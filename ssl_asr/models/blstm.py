"""LSTM layers that run in both directions: each output depends on the whole utterance."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.recipe import BlstmNetwork


class Blstm(Encoder[BlstmNetwork]):
    """The backward direction begins at each sequence's own end, so padding changes nothing."""

    def __init__(self, section: BlstmNetwork, inputs: int) -> None:
        super().__init__(section, 2 * section.units)
        self.between = section.dropout if section.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            inputs, section.units, section.layers, batch_first=True, bidirectional=True, dropout=self.between
        )

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        if state is not None:
            self.initial_state(len(frames_btd))  # refuses
        if int(lengths_b.min()) == frames_btd.shape[1]:
            return self.lstm(frames_btd)[0], None
        if frames_btd.is_cuda:
            return self._packed(frames_btd, lengths_b), None
        return self._turned(frames_btd, lengths_b), None

    def _packed(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """For a GPU, whose kernels take packed sequences as they are."""
        packed = pack_padded_sequence(frames_btd, lengths_b, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=frames_btd.shape[1])[0]

    def _turned(self, hidden_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """For a CPU, where packing takes 1.4 times as long: only padded batches have a fast kernel there."""
        turned = _turned_rows(lengths_b, hidden_btd.shape[1])
        for layer in range(self.section.layers):
            if layer:
                hidden_btd = functional.dropout(hidden_btd, self.between, self.training)
            forwards = self._direction(hidden_btd, f"_l{layer}")
            backwards = self._direction(_rows(hidden_btd, turned), f"_l{layer}_reverse")
            hidden_btd = torch.cat([forwards, _rows(backwards, turned)], dim=2)
        return hidden_btd

    def _direction(self, hidden_btd: torch.Tensor, suffix: str) -> torch.Tensor:
        weights = [getattr(self.lstm, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        zeros = hidden_btd.new_zeros(1, len(hidden_btd), self.section.units)
        return torch.lstm(hidden_btd, (zeros, zeros), weights, True, 1, 0.0, False, False, True)[0]


def _turned_rows(lengths_b: torch.Tensor, longest: int) -> torch.Tensor:
    """Rows of [batch x frames] that turn each sequence round and leave its padding behind it; their own inverse."""
    place_t, lengths_b1 = torch.arange(longest), lengths_b[:, None]
    turned_bt = torch.where(place_t < lengths_b1, lengths_b1 - 1 - place_t, place_t)
    return (turned_bt + torch.arange(len(lengths_b))[:, None] * longest).flatten()


def _rows(hidden_btd: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
    rows: torch.Tensor = _Rows.apply(hidden_btd.flatten(0, 1), turned)
    return rows.view_as(hidden_btd)


class _Rows(torch.autograd.Function):
    """Rows in an order that is its own inverse: backwards is the same selection, where autograd's own adds up."""

    @staticmethod
    def forward(ctx: Any, rows_nd: torch.Tensor, turned_n: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(turned_n)
        return rows_nd.index_select(0, turned_n)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_nd: torch.Tensor) -> tuple[torch.Tensor, None]:
        (turned_n,) = ctx.saved_tensors
        return gradient_nd.index_select(0, turned_n), None
