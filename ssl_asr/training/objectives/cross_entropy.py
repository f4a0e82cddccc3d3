"""Frame losses: hard senone labels, and soft targets kept as k sparse entries a frame."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional


def hard_cross_entropy(logits_nv: torch.Tensor, labels_n: torch.Tensor) -> torch.Tensor:
    """Mean nats a frame of the labeled senones."""
    return functional.cross_entropy(logits_nv, labels_n)


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
