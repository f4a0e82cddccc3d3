"""A gradient's change of sign between two networks: one makes a loss small, the other makes it large."""

from __future__ import annotations

from typing import Any

import torch


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return -gradient


def gradient_reversed(values: torch.Tensor) -> torch.Tensor:
    """The same values; what is minimised behind them is maximised before them (Ganin and Lempitsky 2015)."""
    found: torch.Tensor = _Reversed.apply(values)
    return found
