"""The training of an extractor as workers get it: they read the pool from the run, the first writes the result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.recipe import Recipe, Sync
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.speakers.batches import check_speakers
from ssl_asr.speakers.companion import ExtractorCompanion
from ssl_asr.speakers.extractor import ExtractorSpec, SpeakerExtractor, save_extractor
from ssl_asr.speakers.kept import KEY, TOLD, Extracted
from ssl_asr.speakers.objective import UNWEIGHTED_LOSS, SpeakerObjective, freeze_unused
from ssl_asr.speakers.pool import Pool, PoolSettings, read_pool
from ssl_asr.speakers.reading import STEPS, PoolReader, step_schedule, step_source
from ssl_asr.speakers.settings import TrainingSettings, check_settings, has_regions
from ssl_asr.store import filesystem
from ssl_asr.store.speakers_layout import extractor_uri, trained_speakers_uri, training_name
from ssl_asr.training.companion import learned_by
from ssl_asr.training.course import Course
from ssl_asr.training.curve import Record
from ssl_asr.training.data.sources import Source
from ssl_asr.training.loop import Loop
from ssl_asr.training.optimisers import Adam
from ssl_asr.training.schedule import Phase
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.build import build_strategy
from ssl_asr.training.sync.group import Worker

_LAST = 50  # steps


@dataclass(frozen=True, kw_only=True)
class ExtractorJob:
    """`inputs` is what the extractor `extractor` of the recipe's run is made from."""

    recipe: Recipe
    extractor: str
    pooled: PoolSettings
    settings: TrainingSettings
    sync: Sync
    inputs: dict[str, str]
    dev: Source | None = None
    dev_objective: str = STEPS

    @property
    def run(self) -> str:
        return self.recipe.run

    @property
    def name(self) -> str:
        return training_name(self.extractor)

    @property
    def key(self) -> str:
        return inputs_key(self.inputs)

    @cached_property
    def schedule(self) -> tuple[Phase, ...]:
        return tuple(step_schedule(self.settings))

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        return (step_source(self.settings),)

    def build_loop(self, worker: Worker) -> Loop:
        pool = read_pool(self.recipe, self.pooled)
        check_pool(pool, self.settings)
        model, companion = _networks(self.run, pool, self.settings)
        learned = learned_by(model, companion).to(worker.device)
        # Not the fused one: it rounds otherwise, and what was measured is of this.
        optimiser = Adam(learned.parameters(), self.settings.learning_rate)
        reader = PoolReader(pool, self.settings.shape, self.settings.seed)
        course = Course(
            schedule=self.schedule,
            sources={STEPS: self.sources[0]},
            objectives={STEPS: SpeakerObjective(self.settings, pool, companion)},
            reader=reader,
            batches=reader.batches,
            seed=self.settings.seed,
        )
        strategy = build_strategy(learned, optimiser, self.sync, worker.group)
        clip = self.settings.clip_norm
        return Loop(model, optimiser, strategy, course, worker, sync=self.sync, clip_norm=clip, companion=companion)

    def finish(self, loop: Loop, curve: Sequence[Record]) -> None:
        """The network, and whom it has heard, in the run's `speakers/`."""
        if loop.worker.rank != 0:
            return
        assert isinstance(loop.model, SpeakerExtractor)
        assert isinstance(loop.course.reader, PoolReader)
        pool = loop.course.reader.pool
        flat.unflatten_into(loop.strategy.global_model(), loop.learned.parameters())
        told = Extracted(
            speakers=len(pool.speakers),
            utterances=len(pool.utterances),
            single=pool.single,
            several=pool.several,
            loss=last_loss(curve),
        )
        speakers = json.dumps(list(pool.speakers)).encode()
        filesystem.write_bytes(trained_speakers_uri(self.run, self.extractor), speakers)
        about = {KEY: self.key, TOLD: asdict(told), "settings": asdict(self.settings)}
        save_extractor(extractor_uri(self.run, self.extractor), loop.model, about)


def check_pool(pool: Pool, settings: TrainingSettings) -> None:
    """ValueError in one sentence where the pool can't be trained on so."""
    check_settings(settings, len(pool.groups))
    check_speakers(pool, settings.shape)
    if has_regions(settings) and settings.clusters > len(pool.utterances):
        raise ValueError(
            f"{len(pool.utterances)} utterances make no {settings.clusters} regions; give less --clusters"
        )


def last_loss(curve: Sequence[Record]) -> float:
    """The mean loss without weights, in nats, of the last blocks that have 50 steps or more together."""
    total, steps = 0.0, 0
    for block in reversed([record for record in curve if "loss" in record]):
        total, steps = total + block[UNWEIGHTED_LOSS] * block["slabs"], steps + block["slabs"]
        if steps >= _LAST:
            break
    return total / max(steps, 1)


def _networks(run: str, pool: Pool, settings: TrainingSettings) -> tuple[SpeakerExtractor, ExtractorCompanion]:
    """Before the first step, of weights that the settings' seed draws."""
    mean, deviation = (torch.from_numpy(np.tile(values, STACK)) for values in global_statistics(run))
    spec = ExtractorSpec(len(mean), settings.layers, settings.units, settings.dimensions, settings.pooling)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = SpeakerExtractor(spec)
        companion = ExtractorCompanion(pool, settings)
    model.frames.set_statistics(mean, deviation)
    freeze_unused(model, settings)
    return model, companion
