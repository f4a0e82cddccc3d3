"""What a search asks of a transducer, whoever computes it: torch in training and evaluation, onnxruntime in a bundle.

The encoder's outputs come to a search as the joiner takes them, [frames, joiner], computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
# Of k sequences, what a predictor carries from one label to the next: arrays of which dimension 1 is k.
StepState = tuple[npt.NDArray[Any], ...]


class TransducerSteps(Protocol):
    """Predictor and joiner of `k` sequences of labels at a time; nothing is kept between calls. Label 0 is blank."""

    def begin(self) -> tuple[Float32, StepState]:
        """Of one sequence without a label: predictor outputs as the joiner takes them [1, joiner], and the state."""

    def step(self, labels: Sequence[int], state: StepState) -> tuple[Float32, StepState]:
        """Of k sequences with one more label each: as `begin`, [k, joiner]."""

    def log_probabilities(self, encoded_j: Float32, predicted_kj: Float32) -> Float32:
        """[k, outputs] of the next label or blank, at one frame [joiner]."""


def rows_of(state: StepState, rows: Sequence[int]) -> StepState:
    """The state of these sequences, in this order."""
    return tuple(np.take(each, rows, axis=1) for each in state)
