"""Frame cross-entropy with a teacher's posteriors, kept as k sparse entries a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    Where targets have a tail, it is one more class: its probability is that of all senones that the frame does not
    keep. With a temperature T both sides are softened by it. The loss is T^2 times the nats, so that its gradient is
    about as large as without (Hinton et al. 2015).
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
        cross_entropy = _loss_for(batch.senones, logits_nv.shape[1])
        temperature, posteriors_nk = self.section.temperature, batch.posteriors
        if temperature != 1:
            logits_nv, posteriors_nk = logits_nv / temperature, softened(posteriors_nk, temperature)
        if batch.weights is None:
            loss = cross_entropy(logits_nv, batch.senones, posteriors_nk)
        else:
            # A frame's loss is linear in its posteriors; the mean over frames becomes one over weights.
            weighted_nk = posteriors_nk * batch.weights[:, None]
            frames_a_weight = len(batch.senones) / (batch.weight or 1.0)
            loss = cross_entropy(logits_nv, batch.senones, weighted_nk) * frames_a_weight
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


def tail_cross_entropy(
    logits_nv: torch.Tensor, senones_nk: torch.Tensor, posteriors_nk: torch.Tensor
) -> torch.Tensor:
    """The same where the entry with senone V is the tail, of all senones that its frame has no entry for."""
    log_probs_nv = functional.log_softmax(logits_nv, dim=1)
    kept_nv = torch.zeros(len(logits_nv), logits_nv.shape[1] + 1, dtype=torch.bool, device=logits_nv.device)
    kept_nv = kept_nv.scatter(1, senones_nk, True)[:, :-1]
    log_tail_n1 = log_probs_nv.masked_fill(kept_nv, -torch.inf).logsumexp(1, keepdim=True)
    log_classes_nk = torch.cat([log_probs_nv, log_tail_n1], 1).gather(1, senones_nk)
    return -(posteriors_nk * log_classes_nk).sum(1).mean()


def _loss_for(senones_nk: torch.Tensor, outputs: int) -> Callable[..., torch.Tensor]:
    """By whether there is a tail among the targets."""
    return tail_cross_entropy if bool((senones_nk == outputs).any()) else soft_cross_entropy


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
