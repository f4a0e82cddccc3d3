"""Gradients of a block's steps: what weight each worker's has, and the dense sum over workers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Group


def step_weights(group: Group, batch_frames: Sequence[int], *, summed: bool, device: torch.device) -> list[float]:
    """Weight of this worker's mean gradient in each step of the block; as many as the longest worker has batches.

    It is the worker's share of the step's frames, so that the weighted sum is the gradient of the mean loss over all
    workers' frames; `summed` multiplies it by the number of workers that have frames in this step.
    """
    steps = max(group.gather_objects(len(batch_frames)))
    frames_ws = torch.zeros(group.size, steps, dtype=torch.float64, device=device)
    frames_ws[group.rank, : len(batch_frames)] = torch.tensor(batch_frames, dtype=torch.float64)
    group.sum_(frames_ws)
    weights_s = frames_ws[group.rank] / frames_ws.sum(0).clamp(min=1)
    return list((weights_s * (frames_ws > 0).sum(0) if summed else weights_s).tolist())


def weighted(model: nn.Module, weight: float) -> tuple[torch.Tensor, bool]:
    """The flat gradient times `weight`, and whether it was finite; zeros where it was not, or there is none."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if weight == 0 or all(parameter.grad is None for parameter in parameters):
        return torch.zeros_like(flat.flatten(parameters)), True
    gradient = flat.flatten([_gradient(parameter) for parameter in parameters]).mul_(weight)
    finite = bool(torch.isfinite(gradient).all())
    return (gradient if finite else torch.zeros_like(gradient)), finite


def replace_gradients(model: nn.Module, gradient: torch.Tensor) -> None:
    """Put a flat gradient in the place of the model's own."""
    flat.unflatten_into(gradient, [_gradient(parameter) for parameter in model.parameters()])


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
