"""Speech that is made up on the spot, so that the loop is trained in seconds without a corpus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

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
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.sources import SlabRef, Source, SourceName
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.schedule import LABELED, UNLABELED, Phase

SENONES, KEPT, BINS = 8, 3, 4
CODES = np.random.default_rng(0).normal(size=(SENONES, 3 * BINS))


@dataclass(frozen=True)
class Synthetic:
    """A reader: each senone has a code that its frames hold, with noise; `weights` by utterance of a slab."""

    utterances: int = 6
    weights: tuple[float, ...] = (1.0,)

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        chance = np.random.default_rng([ref.slab, offset, source == "unlabeled"])
        return [self._example(chance, str(source), ref.slab, number) for number in range(self.utterances)]

    def _example(self, chance: np.random.Generator, source: str, slab: int, number: int) -> Example:
        senones = np.repeat(chance.integers(0, SENONES, 12), 3)[: int(chance.integers(6, 36))]
        frames = CODES[senones] + 0.2 * chance.normal(size=(len(senones), 3 * BINS))
        return Example(
            frames.astype(np.float16),
            self._soft(senones) if source == "unlabeled" else FrameTargets(senones.astype(np.uint16)[:, None]),
            id=f"{source}-{slab}-{number}",
            speaker=f"speaker-{number % 2}",
            tags={"set": source},
            text=" ".join("abcdefgh"[each] for each in senones[::3]),
            weight=self.weights[number % len(self.weights)],
        )

    def _soft(self, senones: np.ndarray) -> FrameTargets:
        kept = (senones[:, None] + np.arange(KEPT)) % SENONES
        posteriors = np.broadcast_to(np.array([0.7, 0.2, 0.1], np.float32), kept.shape)
        return FrameTargets(kept.astype(np.uint16), posteriors.copy())


def source(name: SourceName, slabs: int) -> Source:
    table = np.zeros((slabs, 3), np.int32)
    table[:, 1], table[:, 2] = np.arange(slabs), 600
    return Source(name, name, table, 1)


def synthetic_job(run: str = "/nowhere", **changes: Any) -> TrainingJob:
    """Four phases of soft and hard labels, the last two on whole utterances."""
    torch.set_num_threads(1)
    phases = (
        Phase("unlabeled", 0, 5, 5e-3, 0, False, False, UNLABELED),
        Phase("labeled", 0, 3, 5e-3, 1, False),
        Phase("unlabeled", 5, 3, 2e-3, 0, True, False, UNLABELED),
        Phase("labeled", 3, 3, 2e-3, 2, True),
    )
    job = TrainingJob(
        run=run,
        name="student",
        inputs={"test": "1"},
        spec=ModelSpec(LstmNetwork(layers=2, units=16, look_ahead=2, dropout=0.1), 3 * BINS, SENONES),
        optimiser=Optimiser(),
        batching=Batching(batch_chunks=4, chunk_frames=12, batch_frames=120),
        augmentation=Augmentation(time_masks=1, time_mask_frames=2),
        sync=Sync(block_slabs=1),
        seed=1,
        schedule=phases,
        sources=(source("labeled", 3), source("unlabeled", 8)),
        objectives={LABELED: CrossEntropySection(), UNLABELED: SoftCrossEntropySection()},
        dev=source("labeled", 3),
        dev_objective=LABELED,
        reader=Synthetic(),
        mean=np.zeros(BINS, np.float32),
        deviation=np.ones(BINS, np.float32),
        about={"senone_set": "synthetic"},
    )
    return replace(job, **changes)


def labeled_synthetic_job() -> TrainingJob:
    """Three phases of 5, 3 and 3 labeled slabs of 7, the last on whole utterances."""
    phases = (
        Phase("labeled", 0, 5, 3e-3, 0, False),
        Phase("labeled", 5, 3, 2e-3, 1, False),
        Phase("labeled", 8, 3, 1e-3, 2, True),
    )
    return synthetic_job(schedule=phases, sources=(source("labeled", 7),), dev=None)
