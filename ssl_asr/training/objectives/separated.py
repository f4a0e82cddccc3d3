"""The loss of the separator-transducer-segmenter: that of a transducer on each output channel, added up.

Sklyar et al. 2022 (arXiv 2205.05199): -sum_n log P(y_n | h_n), where times alone decide which turn belongs to which
channel, and gamma sum_n L2(h_n o m_n), the masking loss. `encoder_ctc.py` has a third part, which is not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ssl_asr.corpus.mixtures.targets import END, active_frames
from ssl_asr.corpus.mixtures.turns import Turn, by_channel
from ssl_asr.frontend.stacking import STACK
from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.recipe import SeparatedTransducerSection
from ssl_asr.store import filesystem
from ssl_asr.store.features import FRAME_SECONDS
from ssl_asr.training.data.batches import Batch, Piece
from ssl_asr.training.objectives.encoder_ctc import encoder_ctc
from ssl_asr.training.objectives.masking import masking_loss
from ssl_asr.training.objectives.objective import Loss
from ssl_asr.training.objectives.turn_labels import channel_labels, end_penalties
from ssl_asr.transducer.joint_loss import joint_transducer_loss

_SECONDS = FRAME_SECONDS * STACK
Channels = tuple[tuple[Turn, ...], ...]


class SeparatedTransducer:
    """Nats a label, where the end of a channel counts as one. It wants whole conversations with their turns.

    The model's encoder is a separator, whose outputs are [channels, B, T, width].
    """

    figures: tuple[str, ...] = ()
    needs_text = False
    needs_lattices = False

    def __init__(self, section: SeparatedTransducerSection) -> None:
        self.section = section

    def weight(self, pieces: Sequence[Piece]) -> float:
        return float(sum(each.example.weight * sum(len(said) + 1 for said in self._labels(each)) for each in pieces))

    def loss(self, model: Any, batch: Batch) -> Loss:
        hidden_nbte, _ = model.encode(batch.frames, batch.lengths)
        losses_b = self._transducer_losses(model, hidden_nbte, batch.pieces)
        if self.section.masking:
            inactive_nbt = self._inactive(batch.pieces, hidden_nbte.shape[2]).to(hidden_nbte.device)
            losses_b = losses_b + masking_loss(hidden_nbte, inactive_nbt, self.section.masking)
        weights_b = torch.tensor([piece.example.weight for piece in batch.pieces], device=losses_b.device)
        weight = self.weight(batch.pieces)
        return Loss((losses_b * weights_b).sum() / (weight or 1.0), weight)

    def _transducer_losses(self, model: Any, hidden_nbte: torch.Tensor, pieces: Sequence[Piece]) -> torch.Tensor:
        """Of each conversation, its channels added up [B]. All channels are one batch of N B sequences."""
        channels, size, frames, _ = hidden_nbte.shape
        labels = [self._labels(piece) for piece in pieces]
        counts_nb = torch.tensor([[len(each[channel]) for each in labels] for channel in range(channels)])
        labels_nbu = torch.zeros(channels, size, int(counts_nb.max()), dtype=torch.long)
        for row, each in enumerate(labels):
            for channel, said in enumerate(each):
                labels_nbu[channel, row, : len(said)] = torch.tensor(said, dtype=torch.long)
        labels_mu = labels_nbu.flatten(0, 1).to(hidden_nbte.device)
        encoded_mte = model.dropout(hidden_nbte.flatten(0, 1))
        lengths = torch.tensor([piece.count for piece in pieces]).repeat(channels), counts_nb.flatten()
        losses_m = joint_transducer_loss(
            model.joiner,
            encoded_mte,
            model.predictor(labels_mu),
            labels_mu,
            *lengths,
            fast_emit=self.section.fast_emit,
            label_bias_btu=self._penalties(pieces, (frames, labels_mu.shape[1])),
        )
        if weight := self.section.ctc_weight:
            losses_m = losses_m + weight * encoder_ctc(model.joiner, encoded_mte, labels_mu, *lengths)
        return losses_m.unflatten(0, (channels, size)).sum(0)

    def _penalties(self, pieces: Sequence[Piece], shape: tuple[int, int]) -> torch.Tensor | None:
        """[N B, T, U]; None without a penalty."""
        if not self.section.end_penalty:
            return None
        found = [
            end_penalties(
                self._channels(piece),
                self._labels(piece),
                shape,
                end_label=self._pieces.symbol_id(END),
                frame_samples=round(_SECONDS * self.section.sample_rate),
                nats=self.section.end_penalty,
                grace=self.section.end_grace,
            )
            for piece in pieces
        ]
        return torch.stack(found, dim=1).flatten(0, 1)

    def _inactive(self, pieces: Sequence[Piece], frames: int) -> torch.Tensor:
        """Bool [N, B, T]: where a channel has no turn; padding is neither."""
        inactive_nbt = np.zeros((self.section.channels, len(pieces), frames), bool)
        for row, piece in enumerate(pieces):
            inactive_nbt[:, row, : piece.count] = ~active_frames(
                self._channels(piece), piece.count, frame_seconds=_SECONDS, sample_rate=self.section.sample_rate
            )
        return torch.from_numpy(inactive_nbt)

    def _channels(self, piece: Piece) -> Channels:
        assert piece.example.turns, "a conversation with its turns"
        return by_channel(piece.example.turns, self.section.channels)

    def _labels(self, piece: Piece) -> tuple[tuple[int, ...], ...]:
        return channel_labels(self._channels(piece), self.section.marks, self._pieces)

    @cached_property
    def _pieces(self) -> WordPieces:
        uri = self.section.word_pieces
        return WordPieces(filesystem.read_bytes(uri), uri)
