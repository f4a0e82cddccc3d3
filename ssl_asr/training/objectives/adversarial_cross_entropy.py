"""Frame cross-entropy in which an adversary weighs the utterances.

L = sum_u w_u sum_t l_ut / sum_u n_u, with l_ut the nats of frame t of utterance u, n_u its frames and w_u its weight,
whose mean over the batch's frames is 1. Frames count by their examples' weights, as in plain cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.normalised import NormalisedEncoder
from ssl_asr.recipe import AdversarialCrossEntropySection
from ssl_asr.training.data.batches import Batch, Piece, frame_weight
from ssl_asr.training.objectives.cross_entropy import label_cross_entropy
from ssl_asr.training.objectives.frames import FRAME_ACCURACY, hits, valid_logits
from ssl_asr.training.objectives.objective import Loss
from ssl_asr.training.objectives.utterance_adversary import CODE_WIDTH, UtteranceAdversary, group_codes, spectra

UNWEIGHTED_LOSS, WEIGHT_VARIANCE = "unweighted_loss", "weight_variance"


class AdversarialCrossEntropy:
    """Nats a frame, weighted; the figures are of plain frames, and how far the weights are from 1.

    It is trained together with the adversary that `begin` makes; the weights of a batch are relative to each other.
    """

    figures: tuple[str, ...] = (FRAME_ACCURACY, UNWEIGHTED_LOSS, WEIGHT_VARIANCE)
    needs_lattices = False

    def __init__(self, section: AdversarialCrossEntropySection) -> None:
        self.section = section
        self.needs_text = bool(section.groups)  # the tags stand beside the text
        self.adversary: UtteranceAdversary | None = None

    def begin(self, bins: int) -> UtteranceAdversary:
        """A new adversary for frames of so many bins, with random weights; it is learned beside the network."""
        self.adversary = UtteranceAdversary(
            CODE_WIDTH if self.section.groups else 2 * bins,
            hidden=self.section.hidden,
            largest_weight=self.section.largest_weight,
            pretrain_share=self.section.pretrain_share,
        )
        return self.adversary

    def weight(self, pieces: Sequence[Piece]) -> float:
        return frame_weight(pieces)

    def loss(self, model: AcousticModel, batch: Batch) -> Loss:
        assert self.adversary is not None, "an adversary was begun"
        logits_nv = valid_logits(model, batch)
        right = hits(logits_nv, batch)
        if not (self.adversary.is_active and batch.weight):
            loss = label_cross_entropy(logits_nv, batch)
            plain = {UNWEIGHTED_LOSS: loss.detach() * batch.weight, WEIGHT_VARIANCE: torch.zeros_like(loss.detach())}
            return Loss(loss, batch.weight, {FRAME_ACCURACY: right, **plain})
        frames_b = torch.tensor([frame_weight([piece]) for piece in batch.pieces], device=logits_nv.device)
        weights_b = self.adversary(self.known(model, batch), frames_b)
        each_b = utterance_sums(logits_nv, batch)
        figures = {
            FRAME_ACCURACY: right,
            UNWEIGHTED_LOSS: each_b.detach().sum(),
            WEIGHT_VARIANCE: (frames_b * (weights_b.detach() - 1).square()).sum(),
        }
        return Loss((weights_b * each_b).sum() / batch.weight, batch.weight, figures)

    def known(self, model: NormalisedEncoder, batch: Batch) -> torch.Tensor:
        """What the adversary sees of each piece, [batch, inputs]."""
        tag = self.section.groups
        if tag:
            return group_codes([tags.get(tag, "") for tags in batch.tags]).to(model.mean.device)
        return spectra(batch.pieces, model.mean, model.scale)


def utterance_sums(logits_nv: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Nats [batch] of each piece: the sum over its frames, by their weights."""
    each_n = functional.cross_entropy(logits_nv, batch.senones[:, 0], reduction="none")
    if batch.weights is not None:
        each_n = each_n * batch.weights
    return torch.stack([each.sum() for each in each_n.split([piece.count for piece in batch.pieces])])
