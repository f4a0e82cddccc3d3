"""State-level minimum Bayes risk: the expected frame accuracy over the paths of lattices, smoothed frame by frame.

Kingsbury (2009) and Vesely et al. (2013) for the risk. Smoothing keeps frames right that the lattices do not speak of
(Su et al. 2013, frame smoothing): by cross-entropy with the labels, or by the divergence from the model at the start
(Yu et al. 2013). The latter learns no label by heart, at the price of one more forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch.nn import functional

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import SmbrSection
from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.smbr import expected_accuracy
from ssl_asr.training.data.batches import Batch, Piece, frame_weight
from ssl_asr.training.objectives.cross_entropy import label_cross_entropy
from ssl_asr.training.objectives.frames import FRAME_ACCURACY, hits, valid_logits
from ssl_asr.training.objectives.objective import Loss

EXPECTED_ACCURACY, LOST = "expected_accuracy", "lost_frames"


class Smbr:
    """Minus the share of frames that are right on a path, weighted by the examples' weights, plus the smoothing.

    It wants whole utterances at feature offset 0, for which lattices are made.
    """

    figures = (EXPECTED_ACCURACY, FRAME_ACCURACY, LOST)
    needs_text = False
    needs_lattices = True

    def __init__(self, section: SmbrSection) -> None:
        self.section = section

    def weight(self, pieces: Sequence[Piece]) -> float:
        return frame_weight(pieces)

    def loss(self, model: AcousticModel, batch: Batch) -> Loss:
        logits_nv = valid_logits(model, batch)
        lattices = [piece.example.lattice for piece in batch.pieces if piece.example.lattice is not None]
        counts = [piece.count for piece in batch.pieces]
        assert [each.num_frames for each in lattices] == counts, "whole utterances, each with its lattice"
        found = expected_accuracy(logits_nv, batch.senones[:, 0], concatenate(lattices), kappa=self.section.kappa)
        weights = torch.tensor([piece.example.weight for piece in batch.pieces], dtype=torch.float64)
        weights = weights.to(logits_nv.device)
        accuracy = (found.accuracies * weights).sum()
        smoothing = self.section.smoothing_weight * self._smoothing(logits_nv, batch)
        lost = (found.lost * weights * torch.tensor(counts, device=logits_nv.device)).sum()
        figures = {EXPECTED_ACCURACY: accuracy.detach(), FRAME_ACCURACY: hits(logits_nv, batch), LOST: lost}
        return Loss(smoothing - accuracy.float() / (batch.weight or 1.0), batch.weight, figures)

    def _smoothing(self, logits_nv: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Mean nats a frame."""
        if self.section.smoothing == "ce":
            return label_cross_entropy(logits_nv, batch)
        with torch.no_grad():
            start_nv = valid_logits(self._start.to(logits_nv.device), batch).log_softmax(1)
        each_n = functional.kl_div(logits_nv.log_softmax(1), start_nv, reduction="none", log_target=True).sum(1)
        weighted_n = each_n if batch.weights is None else each_n * batch.weights
        return weighted_n.sum() / (batch.weight or 1.0)

    @cached_property
    def _start(self) -> AcousticModel:
        return load_model(self.section.start)[0]
