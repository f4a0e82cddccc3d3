"""Gradients of a block's steps: what weight each worker's has, and the dense sum over workers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Group


def step_weights(group: Group, batch_weights: Sequence[float], *, summed: bool, device: torch.device) -> list[float]:
    """Weight of this worker's mean gradient in each step of the block; one for each batch of the longest worker.

    It is the worker's share of the step's weight, so that the weighted sum is the gradient of the mean loss over all
    workers' batches; `summed` multiplies it by the number of workers that have a weight in this step.
    """
    steps = max(group.gather_objects(len(batch_weights)))
    weights_ws = torch.zeros(group.size, steps, dtype=torch.float64, device=device)
    weights_ws[group.rank, : len(batch_weights)] = torch.tensor(batch_weights, dtype=torch.float64)
    group.sum_(weights_ws)
    total_s = weights_ws.sum(0)
    share_s = weights_ws[group.rank] / torch.where(total_s > 0, total_s, 1)
    return list((share_s * (weights_ws > 0).sum(0) if summed else share_s).tolist())


def weighted(model: nn.Module, weight: float, into: torch.Tensor) -> bool:
    """Put the gradient times `weight` into the flat `into`; zeros if it is not finite or there is none.

    Returns False if it was not finite.
    """
    parameters = list(model.parameters())
    if weight == 0 or all(parameter.grad is None for parameter in parameters):
        into.zero_()
        return True
    torch.cat([_gradient(parameter).view(-1) for parameter in parameters], out=into)
    finite = flat.is_finite(into.mul_(weight))
    if not finite:
        into.zero_()
    return finite


def replace_gradients(model: nn.Module, gradient: torch.Tensor) -> None:
    """Replace the model's gradients by a flat gradient."""
    flat.unflatten_into(gradient, [_gradient(parameter) for parameter in model.parameters()])


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    """Zeros where it has none. A frozen parameter keeps none, and the optimiser leaves it as it is."""
    if parameter.grad is not None:
        return parameter.grad
    found = torch.zeros_like(parameter)
    if parameter.requires_grad:
        parameter.grad = found
    return found
