"""Frame losses: hard senone labels, and soft targets kept as k sparse entries a frame."""

from __future__ import annotations

import torch
from torch.nn import functional


def hard_cross_entropy(logits_nv: torch.Tensor, labels_n: torch.Tensor) -> torch.Tensor:
    """Mean nats a frame of the labeled senones."""
    return functional.cross_entropy(logits_nv, labels_n)


def soft_cross_entropy(
    logits_nv: torch.Tensor, senones_nk: torch.Tensor, posteriors_nk: torch.Tensor
) -> torch.Tensor:
    """Mean nats a frame of `-sum_j q_j log p_j` over the k kept senones.

    `posteriors_nk` is the softmax of the teacher's kept logits; p is the student's softmax over all senones, so
    with k = V this is the dense cross-entropy (Parthasarathi et al. 2019, student/teacher targets). Nothing
    dense is built beyond the student's own logits: log p_j = z_j - logsumexp(z).
    """
    kept_nk = logits_nv.gather(1, senones_nk)
    log_sum_n1 = torch.logsumexp(logits_nv, dim=1, keepdim=True)
    return -(posteriors_nk * (kept_nk - log_sum_n1)).sum(1).mean()
