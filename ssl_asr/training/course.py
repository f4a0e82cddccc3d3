"""What a training goes through: phases, their sources and objectives, and how examples become batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ssl_asr.training.data.batches import Piece
from ssl_asr.training.data.examples import Example, Reader
from ssl_asr.training.data.sources import Source
from ssl_asr.training.objectives.objective import Objective
from ssl_asr.training.schedule import Phase


class Batcher(Protocol):
    """Deals the examples of a worker's slabs, which come in the slabs' order, into batches."""

    def __call__(self, examples: Sequence[Example], whole: bool, rng: np.random.Generator) -> list[list[Piece]]: ...


@dataclass(frozen=True)
class Course:
    """What a loop goes through: phases, the sources and objectives that they name, and how batches are made.

    `begins_trained` says that it goes on with a model whose own training has ended: what a network changes on the way
    stays as it was at the end of that.
    """

    schedule: Sequence[Phase]
    sources: Mapping[str, Source]
    objectives: Mapping[str, Objective]
    reader: Reader
    batches: Batcher
    seed: int
    begins_trained: bool = False
