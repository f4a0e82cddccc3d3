"""The masking loss: a channel's encoder outputs should be zero while nobody speaks on it.

Sklyar et al. 2022 (arXiv 2205.05199): gamma sum_n L2(h_n o m_n), with h_n the outputs of channel n and m_n one in its
frames without an active speaker. It teaches the separation encoders which turns are theirs. gamma was not published.
"""

from __future__ import annotations

import torch


def masking_loss(hidden_nbte: torch.Tensor, inactive_nbt: torch.Tensor, gamma: float) -> torch.Tensor:
    """Of each mixture [batch]; `inactive_nbt` is true in its frames without an active speaker, and not in padding.

    L2 is the Euclidean norm of all of a channel's inactive outputs together. Its gradient is h / L2(h), whatever the
    size of h, and zero where a channel has no inactive frame or its outputs are zero.
    """
    precise = torch.promote_types(hidden_nbte.dtype, torch.float32)  # squares overflow in half precision
    silent_nbte = hidden_nbte.to(precise) * inactive_nbt[..., None]
    return gamma * torch.linalg.vector_norm(silent_nbte, dim=(2, 3)).sum(0)
