"""One training run, described: what the driver hands to every worker, and how a worker builds its loop from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import Optimiser, Sync
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.training.data.examples import SlabReader
from ssl_asr.training.data.sources import Source, seed_of
from ssl_asr.training.loop import Loop
from ssl_asr.training.schedule import Phase
from ssl_asr.training.sync.build import build_strategy
from ssl_asr.training.sync.group import Worker


@dataclass(frozen=True)
class TrainingJob:
    """`inputs` is what the model is made from. A job with the same inputs goes on from its checkpoint.

    `mean` and `deviation` are the global statistics of one 10 ms frame, [mel bins].
    """

    run: str
    name: str
    inputs: dict[str, str]
    spec: ModelSpec
    optimiser: Optimiser
    sync: Sync
    seed: int
    schedule: tuple[Phase, ...]
    sources: tuple[Source, ...]
    dev: Source | None
    reader: SlabReader
    mean: np.ndarray
    deviation: np.ndarray

    @property
    def key(self) -> str:
        """Names the training in its storage."""
        return inputs_key(self.inputs)


def build_model(job: TrainingJob) -> AcousticModel:
    """The network as it is at the first step: the same on every worker."""
    torch.manual_seed(seed_of(job.seed, job.name, "weights"))
    model = AcousticModel(job.spec)
    mean, deviation = (torch.from_numpy(np.tile(values, STACK)) for values in (job.mean, job.deviation))
    model.set_statistics(mean, deviation)
    return model


def build_loop(job: TrainingJob, worker: Worker) -> Loop:
    model = build_model(job).to(worker.device)
    optimiser = build_optimiser(model, job.optimiser)
    strategy = build_strategy(model, optimiser, job.sync, worker.group)
    sources: dict[str, Source] = {source.name: source for source in job.sources}
    return Loop(
        model, optimiser, strategy, job.schedule, sources, job.reader, job.optimiser, job.sync, job.seed, worker
    )


def build_optimiser(model: torch.nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    # Fused: a step is one pass over a parameter instead of one for each operation.
    if settings.name == "adam":
        return torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    return torch.optim.SGD(model.parameters(), lr=settings.learning_rate, momentum=settings.momentum, fused=True)
