"""A pool of utterances as a source of the training loop: its slabs are the steps, each a batch drawn from everywhere.

The loop deals slabs to workers. A slab of features holds whole speakers, and metric learning needs many speakers in
each batch. So work is cut by steps here, and a step's batch is the same on whatever worker it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ssl_asr.frontend.stacking import STACK
from ssl_asr.speakers.batches import BatchShape, Crop, draw_batch
from ssl_asr.speakers.pool import Pool
from ssl_asr.speakers.settings import TrainingSettings, has_regions
from ssl_asr.training.data.batches import Piece
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.sources import SlabRef, Source, SourceName
from ssl_asr.training.schedule import Phase

STEPS: SourceName = "batches"
GROUP = "group"  # the tag of examples that names their true group


class StepSource(Source):
    """Slab n is the batch of step n: the stream has them in order."""

    def at(self, position: int) -> SlabRef:
        sweep, place = divmod(position, len(self))
        return replace(self.slab(place), sweep=sweep)


def step_source(settings: TrainingSettings) -> StepSource:
    """As many slabs as steps."""
    table = np.zeros((settings.steps, 3), np.int32)
    table[:, 1] = np.arange(settings.steps)
    table[:, 2] = settings.shape.speakers * settings.shape.utterances * settings.shape.crop * STACK
    return StepSource(STEPS, STEPS, table, settings.seed)


def step_schedule(settings: TrainingSettings) -> list[Phase]:
    """The pretraining, and the rest; where there are regions, these are found at the beginning of each phase."""
    begin = min(settings.pretrain_steps, settings.steps)
    later = range(begin, settings.steps, settings.refresh_steps if has_regions(settings) else settings.steps)
    edges = [*dict.fromkeys((0, *later)), settings.steps]
    return [
        Phase(STEPS, first, end - first, settings.learning_rate, 0, True, False, STEPS)
        for first, end in pairwise(edges)
    ]


@dataclass(frozen=True)
class PoolReader:
    """Draws the batch of a step, one example for each piece of an utterance; their targets mean nothing."""

    pool: Pool
    shape: BatchShape
    seed: int

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        return [self._example(crop) for crop in draw_batch(self.pool, self.shape, self.seed, ref.slab)]

    def _example(self, crop: Crop) -> Example:
        each = self.pool.utterances[crop.place]
        none = FrameTargets(np.zeros((len(crop.frames), 1), np.uint16))
        tags = {} if each.group is None else {GROUP: each.group}
        return Example(crop.frames, none, each.id, each.speaker, tags=tags)

    def batches(self, examples: Sequence[Example], whole: bool, rng: np.random.Generator) -> list[list[Piece]]:
        """Those of each step as they were drawn."""
        size = self.shape.speakers * self.shape.utterances
        pieces = [Piece(each, 0, len(each.frames)) for each in examples]
        return [pieces[begin : begin + size] for begin in range(0, len(pieces), size)]
