"""From the recipe's `sync` section to a strategy."""

from __future__ import annotations

import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.sync.bmuf import Bmuf
from ssl_asr.training.sync.dense import Dense
from ssl_asr.training.sync.group import Group
from ssl_asr.training.sync.gtc import Gtc
from ssl_asr.training.sync.strategy import Strategy
from ssl_asr.training.sync.warm_start import WarmStart


def build_strategy(model: nn.Module, optimiser: torch.optim.Optimizer, sync: Sync, group: Group) -> Strategy:
    """ValueError where training changes more of the network than its parameters, which is all that workers share."""
    _refuse_buffers(model)
    if sync.strategy == "dense":
        return Dense(model, sync, group)
    if sync.strategy == "gtc":
        return Gtc(model, sync, group)
    bmuf = Bmuf(model, optimiser, sync, group)
    if sync.warm_start_hours == 0:
        return bmuf
    return WarmStart(Dense(model, sync, group), bmuf, round(sync.warm_start_hours * 3600 / FRAME_SECONDS))


def _refuse_buffers(model: nn.Module) -> None:
    """Those that a module lists neither in its `constant_buffers` nor in the `shared_buffers` of a companion."""
    for name, module in model.named_modules():
        for buffer, _ in module.named_buffers(recurse=False):
            known = (*getattr(module, "constant_buffers", ()), *getattr(module, "shared_buffers", ()))
            if buffer not in known:
                raise ValueError(
                    f"the network's module '{name}', a {type(module).__name__}, keeps '{buffer}' beside its "
                    "parameters, and workers would not agree on it; use a layer without running "
                    "statistics, as LayerNorm, or list a buffer that never changes in the module's constant_buffers"
                )
