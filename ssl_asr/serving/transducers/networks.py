"""A transducer's predictor and joiner by onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.serving.bundle import Bundle
from ssl_asr.serving.description import JOINER, PREDICTOR, TransducerDescription
from ssl_asr.serving.network import AFTER, MOST_STATE, line_of, open_session
from ssl_asr.transducer.steps import Float32, StepState

# Tensors of the three networks beside frames and states.
ENCODED: Final = "encoded"
LABELS, PREDICTED, LOG_PROBABILITIES = "labels", "predicted", "log_probabilities"
# What a state begins with, by its type: no activation, or before the first of the last labels.
_BEGIN: Mapping[str, tuple[type[np.generic], int]] = {
    "tensor(float)": (np.float32, 0),
    "tensor(int64)": (np.int64, -1),
}


class StepNetworks:
    """As `TransducerSteps`, for any number of streams: it holds no state of theirs."""

    def __init__(self, predictor: Any, joiner: Any, *, width: int, outputs: int) -> None:
        """Of sessions; `width` is the joiner's. ValueError, the end of a sentence, if they are no such networks."""
        self._predictor, self._joiner = predictor, joiner
        carried = [each for each in predictor.get_inputs() if each.name != LABELS]
        self._state = {each.name: (each.shape, each.type) for each in carried}
        self._names = [PREDICTED, *(name + AFTER for name in self._state)]
        if not all(_is_state(*each) for each in self._state.values()):
            raise ValueError("its predictor has no state that can be carried")
        try:
            self._try(width, outputs)
        except ValueError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base
            raise ValueError(line_of(error)) from None

    @classmethod
    def read(cls, bundle: Bundle[TransducerDescription], threads: int) -> StepNetworks:
        """ValueError in one sentence if the files are not of these sizes."""
        sessions = [open_session(bundle.read(name), str(bundle.path(name)), threads) for name in (PREDICTOR, JOINER)]
        try:
            return cls(*sessions, width=bundle.description.network.joiner, outputs=bundle.description.outputs)
        except ValueError as error:
            raise ValueError(
                f"{bundle.path(PREDICTOR)} and {JOINER} are no networks of this bundle ({error}); "
                "export the bundle again"
            ) from None

    def begin(self) -> tuple[Float32, StepState]:
        state = tuple(_begin(*each) for each in self._state.values())
        return self.step([BLANK_ID], state)

    def step(self, labels: Sequence[int], state: StepState) -> tuple[Float32, StepState]:
        given = {LABELS: np.array(labels, np.int64), **dict(zip(self._state, state, strict=True))}
        predicted, *after = self._predictor.run(self._names, given)
        return predicted, tuple(after)

    def log_probabilities(self, encoded_j: Float32, predicted_kj: Float32) -> Float32:
        given = {ENCODED: encoded_j[None], PREDICTED: predicted_kj}
        logs: Float32
        (logs,) = self._joiner.run([LOG_PROBABILITIES], given)
        return logs

    def _try(self, width: int, outputs: int) -> None:
        """With two sequences; the last label is the one for which a table may be too short."""
        begun, state = self.begin()
        two = tuple(np.repeat(each, 2, 1) for each in state)
        predicted, after = self.step([outputs - 1, 1], two)
        logs = self.log_probabilities(np.zeros(width, np.float32), predicted)
        found = [(each.shape, each.dtype) for each in (begun, predicted, logs, *after)]
        sizes = [((rows, columns), np.float32) for rows, columns in ((1, width), (2, width), (2, outputs))]
        if found != [*sizes, *((each.shape, each.dtype) for each in two)]:
            raise ValueError(f"they do not give {outputs} log probabilities at a width of {width}")
        if not all(bool(np.isfinite(each).all()) for each in (begun, predicted, logs, *after)):
            raise ValueError("they give values that are not finite")


def _is_state(shape: Sequence[Any], kind: str) -> bool:
    """[known, sequences, known, ...]"""
    known = [side for place, side in enumerate(shape) if place != 1]
    sizes = (
        len(shape) > 1 and isinstance(shape[1], str) and all(isinstance(side, int) and side >= 0 for side in known)
    )
    return sizes and kind in _BEGIN and math.prod(known) <= MOST_STATE


def _begin(shape: Sequence[Any], kind: str) -> np.ndarray[Any, Any]:
    """Of one sequence."""
    dtype, value = _BEGIN[kind]
    return np.full([1 if place == 1 else side for place, side in enumerate(shape)], value, dtype)
