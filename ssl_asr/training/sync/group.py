"""Communication between workers: sums, gathered tensors and gathered plain values.

A `Group` is one worker alone, the processes of torch.distributed, or workers simulated in one process
(`simulation.py`). Strategies use nothing else to communicate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.distributed as dist

# A flat model is reduced in pieces of this many numbers, all at the same time.
CHUNK = 2**22
CPU = torch.device("cpu")


class Group(Protocol):
    rank: int
    size: int

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum over workers, in place; the same bits on each of them."""
        ...

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        """Every worker's one-dimensional tensor, by rank; lengths may differ and are exchanged first."""
        ...

    def gather_objects(self, value: Any) -> list[Any]:
        """Every worker's plain value, by rank."""
        ...


class SingleWorker:
    """The group of a single worker."""

    rank, size = 0, 1

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        return [values_n]

    def gather_objects(self, value: Any) -> list[Any]:
        return [value]


class DistributedGroup:
    """The processes of torch.distributed's default group, over gloo or NCCL."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        pieces = tensor.view(-1).split(CHUNK)
        for pending in [dist.all_reduce(piece, async_op=True) for piece in pieces]:
            pending.wait()
        return tensor

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        mine = torch.tensor([len(values_n)], device=values_n.device)
        counts = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(counts, mine)
        lengths = [int(count) for count in counts]
        longest = max(lengths)
        if longest == 0:
            return [values_n.new_empty(0) for _ in lengths]
        padded = values_n.new_zeros(longest)
        padded[: len(values_n)] = values_n
        gathered = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(gathered, padded)
        return [values[:length] for values, length in zip(gathered, lengths, strict=True)]

    def gather_objects(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


@dataclass(frozen=True)
class Worker:
    """One of the workers that train a model, and where it computes."""

    group: Group = field(default_factory=SingleWorker)
    device: torch.device = CPU

    @property
    def rank(self) -> int:
        return self.group.rank

    @property
    def size(self) -> int:
        return self.group.size


def sum_numbers(group: Group, numbers: list[float], device: torch.device) -> list[float]:
    """Sums of a few numbers over workers, in double precision."""
    return list(group.sum_(torch.tensor(numbers, dtype=torch.float64, device=device)).tolist())


def assert_agreed(group: Group, what: str, value: Any) -> None:
    """Asserts that every worker holds the same plain value; the message names all values."""
    values = group.gather_objects(value)
    assert all(other == values[0] for other in values), f"workers disagree on {what}: {values}"
