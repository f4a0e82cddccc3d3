"""Training examples: stacked frames with the labels or top-k targets of the same utterances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.mixtures.turns import Turn
from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.cohort_input import UNKNOWN
from ssl_asr.sequence.lattices import Lattice
from ssl_asr.store.utterance import CLEAN
from ssl_asr.training.data.sources import SlabRef, SourceName


@dataclass(frozen=True)
class FrameTargets:
    """Per frame k `senones` [T, k] (k = 1: a hard label) and their `posteriors` [T, k], None for hard labels."""

    senones: npt.NDArray[np.uint16]
    posteriors: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Example:
    """One utterance at 30 ms: frames float16 [T, 192], their targets, and whose they are.

    `weight` is that of each of its frames in the loss. `text` and `tags` stand in the manifest alone and are joined
    where an objective asks for them; so is the `lattice`, of an utterance at feature offset 0. A conversation has
    `turns` instead of a text: samples count from the beginning of its first frame, which a turn may precede. `cohort`
    numbers its speaker's, for a network that is told it; 0: unknown.
    """

    frames: npt.NDArray[np.float16]
    targets: FrameTargets
    id: str = ""
    speaker: str = ""
    condition: str = CLEAN
    tags: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    weight: float = 1.0
    lattice: Lattice | None = None
    turns: tuple[Turn, ...] = ()
    cohort: int = UNKNOWN

    @cached_property
    def spectrum(self) -> npt.NDArray[np.float32]:
        """Mean and standard deviation over time of each bin of its 10 ms frames, [2, bins]."""
        frames = self.frames.reshape(-1, self.frames.shape[1] // STACK).astype(np.float32)
        return np.stack([frames.mean(0), frames.std(0)])


class Reader(Protocol):
    """Where the training loop's examples come from."""

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        """The slab's utterances, at this 30 ms offset (0, 1, 2) of their frames."""
        ...
