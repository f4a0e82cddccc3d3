"""One training of `scaling.py`: a small LSTM on so many simulated workers, by the product's own loop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from jobs.bench.scaling_data import CHUNK_FRAMES, LOOK_AHEAD, ScalingSpeech
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.recipe import (
    Augmentation,
    Batching,
    CrossEntropySection,
    LstmNetwork,
    Optimiser,
    SoftCrossEntropySection,
    Sync,
)
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.loop import Loop
from ssl_asr.training.objectives.frames import FRAME_ACCURACY
from ssl_asr.training.schedule import LABELED, UNLABELED, Phase
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.bmuf import Bmuf
from ssl_asr.training.sync.group import Group, Worker
from ssl_asr.training.sync.simulation import simulate

PHASES = 20  # steps of the falling learning rate


@dataclass(frozen=True)
class Settings:
    """Of all trainings alike. Steps are those of one worker; a batch is `chunks` chunks of 32 frames of 30 ms."""

    units: int = 64
    chunks: int = 2
    learning_rate: float = 0.2
    final_share: float = 0.02  # of the learning rate, reached exponentially at the last phase
    warm_steps: int = 8192
    steps: int = 25600
    block_steps: int = 1  # of each worker in a block of BMUF
    gtc_share: float = 0.02


def warm_start(speech: ScalingSpeech, settings: Settings, seed: int) -> torch.Tensor:
    """The flat model that every training of this seed begins from: one worker, at the full learning rate."""
    schedule = (
        Phase("unlabeled", 0, settings.warm_steps, settings.learning_rate, 0, whole=False, objective=UNLABELED),
    )
    return _train(speech, settings, schedule, Sync(strategy="dense", block_slabs=256), 1, seed, None)


def train(
    speech: ScalingSpeech, settings: Settings, sync: Sync, workers: int, seed: int, start: torch.Tensor
) -> torch.Tensor:
    """The flat model after `settings.steps` batches, divided over `workers` workers."""
    count = settings.steps // PHASES
    rates = settings.learning_rate * settings.final_share ** (np.arange(PHASES) / (PHASES - 1))
    schedule = tuple(
        Phase(
            "unlabeled", settings.warm_steps + index * count, count, float(rate), 0, whole=False, objective=UNLABELED
        )
        for index, rate in enumerate(rates)
    )
    return _train(speech, settings, schedule, sync, workers, seed, start)


def _train(
    speech: ScalingSpeech,
    settings: Settings,
    schedule: tuple[Phase, ...],
    sync: Sync,
    workers: int,
    seed: int,
    start: torch.Tensor | None,
) -> torch.Tensor:
    job = _job(speech, settings, schedule, sync, seed)
    return simulate(workers, partial(_work, job, start))[0]


def _work(job: TrainingJob, start: torch.Tensor | None, group: Group) -> torch.Tensor:
    loop = build_loop(job, Worker(group))
    if start is not None:
        _begin_from(loop, start)
    loop.run(lambda record, work: None)
    return loop.strategy.global_model()


def _begin_from(loop: Loop, model: torch.Tensor) -> None:
    flat.unflatten_into(model, loop.model.parameters())
    if isinstance(loop.strategy, Bmuf):
        loop.strategy.begin_from(model)


def frame_accuracy(speech: ScalingSpeech, settings: Settings, model: torch.Tensor) -> float:
    """Share of the held-out frames whose best senone is the aligned one."""
    loop = build_loop(_job(speech, settings, (), Sync(strategy="dense"), 0), Worker())
    _begin_from(loop, model)
    return loop.evaluate(speech.source("labeled", 0), loop.course.objectives[LABELED]).figures[FRAME_ACCURACY]


def _job(
    speech: ScalingSpeech, settings: Settings, schedule: tuple[Phase, ...], sync: Sync, seed: int
) -> TrainingJob:
    mean, deviation = global_statistics(speech.run)
    network = LstmNetwork(layers=1, units=settings.units, look_ahead=LOOK_AHEAD, dropout=0.0)
    return TrainingJob(
        run=speech.run,
        name="scaling",
        inputs={},
        spec=ModelSpec(network, speech.train[0][0].frames.shape[1], load_senones(speech.run).size),
        optimiser=Optimiser(name="sgd", momentum=0.0, learning_rate=settings.learning_rate),
        batching=Batching(batch_chunks=settings.chunks, chunk_frames=CHUNK_FRAMES, batch_frames=6000),
        augmentation=Augmentation(),
        sync=sync,
        seed=seed,
        schedule=schedule,
        sources=(speech.source("unlabeled", seed),),
        objectives={LABELED: CrossEntropySection(), UNLABELED: SoftCrossEntropySection()},
        dev=None,
        dev_objective=LABELED,
        reader=speech,
        mean=mean,
        deviation=deviation,
    )
