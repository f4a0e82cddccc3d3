"""The transducer loss: nats a label over all alignments of frames and word pieces (Graves 2012)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import torch

from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.recipe import TransducerSection
from ssl_asr.store import filesystem
from ssl_asr.training.data.batches import Batch, Piece
from ssl_asr.training.objectives.objective import Loss
from ssl_asr.transducer.joint_loss import joint_transducer_loss
from ssl_asr.transducer.model import TransducerModel


class TransducerObjective:
    """Nats a label, where the end of an utterance counts as one. It wants whole utterances with their texts."""

    figures: tuple[str, ...] = ()
    needs_text = True
    needs_lattices = False

    def __init__(self, section: TransducerSection) -> None:
        self.section = section

    def weight(self, pieces: Sequence[Piece]) -> float:
        return float(sum(piece.example.weight * (len(self._labels(piece)) + 1) for piece in pieces))

    def loss(self, model: TransducerModel, batch: Batch) -> Loss:
        labels = [self._labels(piece) for piece in batch.pieces]
        frames_b = torch.tensor([piece.count for piece in batch.pieces])
        counts_b = torch.tensor([len(each) for each in labels])
        labels_bu = torch.zeros(len(labels), int(counts_b.max()), dtype=torch.long)
        for row, each in enumerate(labels):
            labels_bu[row, : len(each)] = torch.tensor(each)
        labels_bu = labels_bu.to(batch.frames.device)
        hidden_btd, _ = model.encode(batch.frames, batch.lengths)
        losses_b = joint_transducer_loss(
            model.joiner,
            model.dropout(hidden_btd[:, model.encoder.look_ahead :]),
            model.predictor(labels_bu),
            labels_bu,
            frames_b,
            counts_b,
            fast_emit=self.section.fast_emit,
        )
        weights_b = torch.tensor([piece.example.weight for piece in batch.pieces], device=losses_b.device)
        weight = self.weight(batch.pieces)
        frames_a_unit = sum(piece.example.weight * piece.count for piece in batch.pieces) / (weight or 1.0)
        return Loss((losses_b * weights_b).sum() / (weight or 1.0), weight, frames_a_unit=frames_a_unit)

    def _labels(self, piece: Piece) -> tuple[int, ...]:
        text = piece.example.text
        assert text is not None, "an utterance with its text"
        return self._encode(text)

    @cached_property
    def _pieces(self) -> WordPieces:
        uri = self.section.word_pieces
        return WordPieces(filesystem.read_bytes(uri), uri)

    @cached_property
    def _encode(self) -> Callable[[str], tuple[int, ...]]:
        # A text is asked for twice a pass: for its weight, and for its loss.
        return lru_cache(maxsize=1 << 14)(lambda text: tuple(self._pieces.encode(text)))
