"""Frame cross-entropy with a teacher's posteriors, kept as k sparse entries a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.recipe import SoftCrossEntropySection
from ssl_asr.training.data.batches import Batch, Piece, frame_weight
from ssl_asr.training.objectives.frames import FRAME_ACCURACY, hits, valid_logits
from ssl_asr.training.objectives.objective import Loss


class SoftCrossEntropy:
    """Nats a frame, weighted by the examples' weights; a frame is right where the teacher's likeliest senone wins.

    With a temperature T both sides are softened by it. The loss is T^2 times the nats, so that its gradient is about
    as large as without (Hinton et al. 2015).
    """

    figures = (FRAME_ACCURACY,)
    needs_text = False
    needs_lattices = False

    def __init__(self, section: SoftCrossEntropySection) -> None:
        self.section = section

    def weight(self, pieces: Sequence[Piece]) -> float:
        return frame_weight(pieces)

    def loss(self, model: AcousticModel, batch: Batch) -> Loss:
        assert batch.posteriors is not None, "soft targets"
        logits_nv = valid_logits(model, batch)
        right = hits(logits_nv, batch)
        temperature, posteriors_nk = self.section.temperature, batch.posteriors
        if temperature != 1:
            logits_nv, posteriors_nk = logits_nv / temperature, softened(posteriors_nk, temperature)
        if batch.weights is None:
            loss = soft_cross_entropy(logits_nv, batch.senones, posteriors_nk)
        else:
            # A frame's loss is linear in its posteriors; the mean over frames becomes one over weights.
            weighted_nk = posteriors_nk * batch.weights[:, None]
            frames_a_weight = len(batch.senones) / (batch.weight or 1.0)
            loss = soft_cross_entropy(logits_nv, batch.senones, weighted_nk) * frames_a_weight
        return Loss(temperature**2 * loss, batch.weight, {FRAME_ACCURACY: right})


def softened(posteriors_nk: torch.Tensor, temperature: float) -> torch.Tensor:
    """The softmax of kept logits over `temperature`, from their softmax; what was not kept, a 0, stays one."""
    powers_nk = posteriors_nk.pow(1 / temperature)
    return powers_nk / powers_nk.sum(1, keepdim=True)


def soft_cross_entropy(
    logits_nv: torch.Tensor, senones_nk: torch.Tensor, posteriors_nk: torch.Tensor
) -> torch.Tensor:
    """Mean nats a frame of `-sum_j q_j log p_j` over the k kept senones.

    `posteriors_nk` is the softmax of the teacher's kept logits; p is the student's softmax over all senones, so
    with k = V this is the dense cross-entropy (Parthasarathi et al. 2019, student/teacher targets).
    """
    loss: torch.Tensor = _SoftCrossEntropy.apply(logits_nv, senones_nk, posteriors_nk)
    return loss


class _SoftCrossEntropy(torch.autograd.Function):
    """By hand, as autograd's own steps fill five arrays of [n, V] instead of two, in six times the time."""

    @staticmethod
    def forward(
        ctx: Any, logits_nv: torch.Tensor, senones_nk: torch.Tensor, posteriors_nk: torch.Tensor
    ) -> torch.Tensor:
        log_probs_nv = functional.log_softmax(logits_nv, dim=1)
        ctx.save_for_backward(log_probs_nv, senones_nk, posteriors_nk)
        return -(posteriors_nk * log_probs_nv.gather(1, senones_nk)).sum(1).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """(p sum_j q_j - q) / n."""
        log_probs_nv, senones_nk, posteriors_nk = ctx.saved_tensors
        scale = gradient / len(log_probs_nv)
        logits_nv = log_probs_nv.exp().mul_(posteriors_nk.sum(1, keepdim=True) * scale)
        return logits_nv.scatter_add_(1, senones_nk, posteriors_nk * -scale), None, None
