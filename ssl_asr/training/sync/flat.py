"""All parameters of a network as one flat buffer, which is averaged, filtered, checkpointed and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import nn


def flatten(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


@torch.no_grad()
def unflatten_into(flat: torch.Tensor, tensors: Iterable[torch.Tensor]) -> None:
    """Copy the buffer into the tensors. torch's own vector_to_parameters would make them views of `flat`."""
    begin = 0
    for tensor in tensors:
        tensor.copy_(flat[begin : begin + tensor.numel()].view_as(tensor))
        begin += tensor.numel()
    assert begin == flat.numel(), "buffer and network differ in size"


def parameters(model: nn.Module) -> torch.Tensor:
    return flatten(model.parameters())


def fingerprint(flat: torch.Tensor) -> str:
    """The first 16 hex digits of the buffer's SHA-256: equal on all workers, or they have diverged."""
    return hashlib.sha256(flat.detach().cpu().numpy().data).hexdigest()[:16]


def is_finite(flat: torch.Tensor) -> bool:
    """Whether all numbers are finite. Minimum and maximum are enough: they are NaN if any number is."""
    return bool(torch.stack(flat.aminmax()).isfinite().all())
