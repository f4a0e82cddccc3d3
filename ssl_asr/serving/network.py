"""The bundle's network by onnxruntime: frames and state in, log posteriors and the new state out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ssl_asr.serving.description import NetworkShape
from ssl_asr.serving.onnx_file import check_onnx

Float32 = npt.NDArray[np.float32]
State = tuple[Float32, ...]
FRAMES, LOG_POSTERIORS, AFTER = "frames", "log_posteriors", "_after"
_MOST_STATE = 10_000_000  # values that are carried from frame to frame


class Network:
    """Any number of streams may use one network: it holds no state.

    The state before frame t is a tuple of tensors [layers, 1, units]; where a pass is cut matters only to rounding.
    """

    def __init__(self, model: bytes, shape: NetworkShape, place: str, threads: int = 1) -> None:
        """`model` is the content of the file at `place`; ValueError if it is no network of this shape."""
        self.shape, self._place = shape, place
        try:
            check_onnx(model)
            self._session = onnxruntime.InferenceSession(model, _options(threads), ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise ValueError(f"{place} is no network of a bundle ({_line(error)}); export the bundle again") from None
        inputs = {each.name: each.shape for each in self._session.get_inputs()}
        self._state = {name: shape for name, shape in inputs.items() if name != FRAMES}
        self._outputs = [LOG_POSTERIORS, *(name + AFTER for name in self._state)]
        outputs = {each.name for each in self._session.get_outputs()}
        if FRAMES not in inputs or outputs != set(self._outputs) or not _is_state(self._state.values()):
            raise ValueError(
                f"{place} has the inputs {', '.join(inputs)[:200]}, so it is no streaming network of a bundle; "
                "export the bundle again"
            )
        self._try()

    def initial_state(self) -> State:
        """Of one stream, before its first frame."""
        return tuple(np.zeros(shape, np.float32) for shape in self._state.values())

    def run(self, frames: Float32, state: State) -> tuple[Float32, State]:
        """Log posteriors [frames, senones] of at least one frame [frames, inputs], and the state behind it."""
        given = {FRAMES: frames[None], **dict(zip(self._state, state, strict=True))}
        posteriors, *after = self._session.run(self._outputs, given)
        return posteriors[0], tuple(after)

    def _try(self) -> None:
        """ValueError unless frames go through as they should, two and then one."""
        state, fits = self.initial_state(), True
        try:
            for frames in (2, 1):
                posteriors, after = self.run(np.zeros((frames, self.shape.inputs), np.float32), state)
                shapes = [each.shape for each in (posteriors, *after)]
                fits &= shapes == [(frames, self.shape.senones), *(each.shape for each in state)]
                fits &= all(bool(np.isfinite(each).all()) for each in (posteriors, *after))
                state = after
        except Exception as error:
            raise ValueError(f"{self._place} can't be run ({_line(error)}); export the bundle again") from None
        if not fits:
            raise ValueError(
                f"{self._place} does not give {self.shape.senones} log posteriors of {self.shape.inputs} inputs; "
                "export the bundle again"
            )


def _is_state(shapes: Collection[Sequence[Any]]) -> bool:
    """Whether tensors of these shapes, which may be names, can be made and kept for a stream."""
    known = [shape for shape in shapes if all(isinstance(side, int) for side in shape)]
    return len(known) == len(shapes) and sum(map(math.prod, known)) <= _MOST_STATE


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors: they are raised too
    # Idle threads would take the core from the search.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
