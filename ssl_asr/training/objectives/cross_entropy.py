"""Frame cross-entropy with the aligned senones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.recipe import CrossEntropySection
from ssl_asr.training.data.batches import Batch, Piece, frame_weight
from ssl_asr.training.objectives.frames import FRAME_ACCURACY, hits, valid_logits
from ssl_asr.training.objectives.objective import Loss


def hard_cross_entropy(logits_nv: torch.Tensor, labels_n: torch.Tensor) -> torch.Tensor:
    """Mean nats a frame of the labeled senones."""
    return functional.cross_entropy(logits_nv, labels_n)


def label_cross_entropy(logits_nv: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean nats a frame of the batch's labels, by its weights."""
    labels_n = batch.senones[:, 0]
    if batch.weights is None:
        return hard_cross_entropy(logits_nv, labels_n)
    each_n = functional.cross_entropy(logits_nv, labels_n, reduction="none")
    return (each_n * batch.weights).sum() / (batch.weight or 1.0)


class CrossEntropy:
    """Nats a frame, weighted by the examples' weights."""

    figures = (FRAME_ACCURACY,)
    needs_text = False
    needs_lattices = False

    def __init__(self, section: CrossEntropySection) -> None:
        self.section = section

    def weight(self, pieces: Sequence[Piece]) -> float:
        return frame_weight(pieces)

    def loss(self, model: AcousticModel, batch: Batch) -> Loss:
        logits_nv = valid_logits(model, batch)
        right = hits(logits_nv, batch)
        return Loss(label_cross_entropy(logits_nv, batch), batch.weight, {FRAME_ACCURACY: right})
