"""Trainings of small extractors on a made-up run, in this process or on Ray."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ssl_asr.recipe import Recipe, Sync
from ssl_asr.speakers.batches import BatchShape
from ssl_asr.speakers.job import ExtractorJob
from ssl_asr.speakers.pool import PoolSettings
from ssl_asr.speakers.reading import PoolReader
from ssl_asr.speakers.settings import TrainingSettings
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.data.examples import Example
from ssl_asr.training.loop import Loop
from ssl_asr.training.sync.group import Worker

LABELED = PoolSettings(splits=("labeled",), group_tag="region")
SETTINGS = TrainingSettings(
    layers=1,
    units=12,
    dimensions=6,
    shape=BatchShape(4, 3, 20),
    steps=9,
    pretrain_steps=3,
    clusters=3,
    refresh_steps=2,
)


def settings_of(reweighting: Any, **changes: Any) -> TrainingSettings:
    loss = "pairs" if reweighting == "pairs" else "ge2e"
    return replace(SETTINGS, **{"reweighting": reweighting, "loss": loss, **changes})


def job_of(recipe: Recipe, name: str, settings: TrainingSettings = SETTINGS, **sync: Any) -> ExtractorJob:
    """Begun; its blocks have two steps of each worker, and its gradients are exact unless `sync` says otherwise."""
    torch.set_num_threads(1)
    return begun(
        ExtractorJob(
            recipe=recipe,
            extractor=name,
            pooled=LABELED,
            settings=settings,
            sync=Sync(**{"strategy": "dense", "block_slabs": 2, **sync}),
            inputs={"test": name},
        )
    )


def begun(job: ExtractorJob) -> ExtractorJob:
    write_schedule(job.run, job.name, job.key, job.schedule, {each.name: len(each) for each in job.sources})
    return job


@dataclass(frozen=True)
class _Deadly(PoolReader):
    deadly: Path

    def read(self, source: Any, ref: Any, offset: int) -> list[Example]:
        if self.deadly.exists() and int(self.deadly.read_text()) == ref.slab:
            self.deadly.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(source, ref, offset)


class DeadlyJob(ExtractorJob):
    """A worker's process dies as one whose memory runs out, once, at the step that a file of the run names."""

    def build_loop(self, worker: Worker) -> Loop:
        loop = super().build_loop(worker)
        reader = loop.course.reader
        assert isinstance(reader, PoolReader)
        deadly = _Deadly(reader.pool, reader.shape, reader.seed, Path(self.run, "deadly-step"))
        loop.course = replace(loop.course, reader=deadly)
        return loop
