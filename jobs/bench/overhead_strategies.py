"""The synchronisation strategies that `overhead.py` times with two workers: the product's and torch's own.

Each is one object with a step and the work at a block's end. The bytes and seconds of its collectives are counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import post_localSGD_hook, powerSGD_hook
from torch.distributed.algorithms.model_averaging.utils import average_parameters_or_parameter_groups
from torch.nn.parallel import DistributedDataParallel

from ssl_asr.recipe import Sync
from ssl_asr.training.data.batches import Batch
from ssl_asr.training.job import TrainingJob, build_model
from ssl_asr.training.objectives.soft_cross_entropy import soft_cross_entropy
from ssl_asr.training.optimisers import build_optimiser
from ssl_asr.training.sync.build import build_strategy
from ssl_asr.training.sync.group import DistributedGroup


class TimedStrategy(Protocol):
    """`sent` is the payload that this worker has given to collectives, in bytes."""

    @property
    def sent(self) -> float: ...

    def step(self, batch: Batch) -> None: ...

    def end_block(self) -> None:
        """The work at a block's end; starts the next block."""
        ...


class Counting(DistributedGroup):
    """The product's own group, with bytes counted and collectives timed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.seconds = 0.0, 0.0

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        return self._counted(super().sum_, tensor)

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        return self._counted(super().gather, values_n)

    def _counted(self, collective: Callable[[torch.Tensor], Any], tensor: torch.Tensor) -> Any:
        self.sent += tensor.numel() * tensor.element_size()
        began = time.perf_counter()
        result = collective(tensor)
        self.seconds += time.perf_counter() - began
        return result


def loss_of(network: nn.Module, batch: Batch) -> torch.Tensor:
    """By the network's `forward`, as DDP wants."""
    assert batch.posteriors is not None, "soft targets"
    return soft_cross_entropy(network(batch.frames, batch.lengths)[batch.valid], batch.senones, batch.posteriors)


class Product:
    """A strategy of the product, called as the training loop calls it; without a name, no communication."""

    def __init__(self, job: TrainingJob, sync: Sync | None, steps: int) -> None:
        self.job, self.steps = job, steps
        self.model = build_model(job).train()
        self.optimiser = build_optimiser(self.model, job.optimiser)
        self.group = Counting()
        self.strategy = None if sync is None else build_strategy(self.model, self.optimiser, sync, self.group)
        self.sync_seconds: list[float] = []
        if self.strategy is not None:
            self.strategy.on_block_start([1] * steps)

    @property
    def sent(self) -> float:
        return self.group.sent

    def step(self, batch: Batch) -> None:
        self.optimiser.zero_grad()
        loss_of(self.model, batch).backward()
        if self.strategy is not None:
            began, spoken = time.perf_counter(), self.group.seconds
            self.strategy.on_after_backward()
            self.sync_seconds.append(time.perf_counter() - began - (self.group.seconds - spoken))
        nn.utils.clip_grad_norm_(self.model.parameters(), self.job.optimiser.clip_norm)
        self.optimiser.step()

    def end_block(self) -> None:
        if self.strategy is not None:
            self.strategy.on_block_end(self.steps, self.steps)
            self.strategy.on_block_start([1] * self.steps)


class Ddp:
    """torch's DistributedDataParallel, dense."""

    def __init__(self, job: TrainingJob, bucket_mb: float | None = None) -> None:
        self.job = job
        model = build_model(job).train()
        self.elements = sum(each.numel() for each in model.parameters())
        self.network = DistributedDataParallel(model, bucket_cap_mb=bucket_mb)
        self.optimiser = build_optimiser(model, job.optimiser)
        self.stepped = 0

    @property
    def sent(self) -> float:
        return 4.0 * self.elements * self.stepped

    def step(self, batch: Batch) -> None:
        self.optimiser.zero_grad()
        loss_of(self.network, batch).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.job.optimiser.clip_norm)
        self.optimiser.step()
        self.stepped += 1

    def end_block(self) -> None: ...


class PowerSgd(Ddp):
    """DDP with torch's PowerSGD hook, rank 1, from the third step on.

    All gradients are in one bucket: with several buckets, the hook's collectives over gloo would run in random order.
    """

    def __init__(self, job: TrainingJob) -> None:
        super().__init__(job, bucket_mb=1000)
        self.state = powerSGD_hook.PowerSGDState(None, matrix_approximation_rank=1, start_powerSGD_iter=2)
        self.network.register_comm_hook(self.state, powerSGD_hook.powerSGD_hook)

    @property
    def sent(self) -> float:
        dense_steps = min(self.stepped, 2)
        return 4.0 * (self.elements * dense_steps + self.state.total_numel_after_compression)


class PostLocalSgd(Ddp):
    """DDP with torch's post-localSGD hook, local from the first step on, models averaged at a block's end.

    torch's PostLocalSGDOptimizer averages with this very function, in the last step of a period.
    """

    def __init__(self, job: TrainingJob) -> None:
        super().__init__(job)
        alone, _ = dist.new_subgroups(group_size=1)
        state = post_localSGD_hook.PostLocalSGDState(process_group=None, subgroup=alone, start_localSGD_iter=0)
        self.network.register_comm_hook(state, post_localSGD_hook.post_localSGD_hook)
        self.averaged = 0

    @property
    def sent(self) -> float:
        return 4.0 * self.elements * self.averaged

    def end_block(self) -> None:
        everyone = dist.group.WORLD
        assert everyone is not None
        average_parameters_or_parameter_groups(self.network.parameters(), everyone)
        self.averaged += 1


def timed_strategies(job: TrainingJob, steps: int) -> dict[str, Callable[[], TimedStrategy]]:
    """By the name in the table; GTC compresses from the first step on."""
    own = job.sync
    gtc = own.model_copy(update={"strategy": "gtc", "gtc_dense_steps": 0})
    return {
        "no communication": lambda: Product(job, None, steps),
        "bmuf": lambda: Product(job, own, steps),
        "gtc": lambda: Product(job, gtc, steps),
        "dense": lambda: Product(job, own.model_copy(update={"strategy": "dense"}), steps),
        "torch DDP": lambda: Ddp(job),
        "torch post-localSGD": lambda: PostLocalSgd(job),
        "torch PowerSGD": lambda: PowerSgd(job),
    }
