"""LSTM layers that run forwards only: causal, so speech may come in chunks."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.recipe import LstmNetwork


class Lstm(Encoder[LstmNetwork]):
    """The state is (h, c), each [layers, batch, units]."""

    is_causal = True

    def __init__(self, section: LstmNetwork, inputs: int) -> None:
        super().__init__(section, section.units)
        between = section.dropout if section.layers > 1 else 0.0
        self.lstm = nn.LSTM(inputs, section.units, section.layers, batch_first=True, dropout=between)

    def initial_state(self, n: int) -> EncoderState:
        shape = (self.section.layers, n, self.section.units)
        like = next(self.lstm.parameters())
        return like.new_zeros(shape), like.new_zeros(shape)

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        return run_lstm(self.lstm, frames_btd, lengths_b, state)


def run_lstm(
    lstm: nn.LSTM, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None
) -> tuple[torch.Tensor, EncoderState | None]:
    """As `Encoder.forward`, for an LSTM that runs forwards only and takes the batch first."""
    if state is None:
        return lstm(frames_btd)[0], None  # padding comes after all that matters
    if int(lengths_b.min()) == frames_btd.shape[1]:
        outputs, after = lstm(frames_btd, state)
        return outputs, after
    return _ragged(lstm, frames_btd, lengths_b, state)


def _ragged(
    lstm: nn.LSTM, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState
) -> tuple[torch.Tensor, EncoderState]:
    """Packed, so that a state is that of its sequence's last frame; one without a frame keeps its state."""
    outputs = frames_btd.new_zeros(*frames_btd.shape[:2], lstm.hidden_size)
    rows = lengths_b.nonzero().squeeze(1)
    if len(rows) == 0:
        return outputs, state
    here = rows.to(frames_btd.device)
    packed = pack_padded_sequence(frames_btd[here], lengths_b[rows], batch_first=True, enforce_sorted=False)
    found, after = lstm(packed, tuple(each[:, here].contiguous() for each in state))
    found, _ = pad_packed_sequence(found, batch_first=True, total_length=frames_btd.shape[1])
    kept = tuple(each.index_copy(1, here, new) for each, new in zip(state, after, strict=True))
    return outputs.index_copy(0, here, found), kept
