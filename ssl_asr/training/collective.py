"""The three things workers say to each other; alone, without a process group, each is the identity."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist


def alone() -> bool:
    return not dist.is_initialized() or dist.get_world_size() == 1


def sum_(tensor: torch.Tensor) -> torch.Tensor:
    """Sum over workers, in place."""
    if not alone():
        dist.all_reduce(tensor)
    return tensor


def largest(value: int) -> int:
    if alone():
        return value
    cell = torch.tensor([value], device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(cell, dist.ReduceOp.MAX)
    return int(cell.item())


def assert_agreed(what: str, value: Any) -> None:
    """Every worker must hold the same plain value; a difference names both."""
    if alone():
        return
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    assert all(other == values[0] for other in values), f"workers disagree on {what}: {values}"
