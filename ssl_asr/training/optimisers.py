"""Torch's optimisers without what torch wraps their methods in for its compiler.

The wrappers import that compiler, `torch._dynamo`, at the first call. That is 1.5 s of a core, a quarter of what a
training worker takes to start, and nothing here compiles a step.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

from ssl_asr.recipe import Optimiser


def _bare(method: Any) -> Any:
    return inspect.unwrap(method)


class Adam(torch.optim.Adam):
    add_param_group = _bare(torch.optim.Adam.add_param_group)
    zero_grad = _bare(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(_bare(torch.optim.Adam.step))


class Sgd(torch.optim.SGD):
    add_param_group = _bare(torch.optim.SGD.add_param_group)
    zero_grad = _bare(torch.optim.SGD.zero_grad)
    step = torch.no_grad()(_bare(torch.optim.SGD.step))


def build_optimiser(model: torch.nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    # Fused: a step is one pass over a parameter instead of one for each operation.
    if settings.name == "adam":
        return Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    return Sgd(model.parameters(), lr=settings.learning_rate, momentum=settings.momentum, fused=True)
