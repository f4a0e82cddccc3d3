"""The bundle's network by onnxruntime: frames and state in, log posteriors and the new state out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ssl_asr.serving.description import NetworkShape

Float32 = npt.NDArray[np.float32]
State = tuple[Float32, ...]
FRAMES, LOG_POSTERIORS, AFTER = "frames", "log_posteriors", "_after"
# How ONNX writes that tensors lie in another file: a key "location" (onnx.proto, TensorProto.external_data).
_ELSEWHERE = b"\x0a\x08location"


class Network:
    """Any number of streams may use one network: it holds no state.

    The state before frame t is a tuple of tensors [layers, 1, units]; where a pass is cut matters only to rounding.
    """

    def __init__(self, model: bytes, shape: NetworkShape, place: str, threads: int = 1) -> None:
        """`model` is the content of the file at `place`; ValueError if it is no network of this shape."""
        self.shape, self._place = shape, place
        if _ELSEWHERE in model:
            raise ValueError(f"{place} keeps weights in other files, which are not read; export the bundle again")
        try:
            self._session = onnxruntime.InferenceSession(model, _options(threads), ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise ValueError(f"{place} is no network that onnxruntime can run ({_line(error)})") from None
        names = [each.name for each in self._session.get_inputs()]
        self._state = {each.name: each.shape for each in self._session.get_inputs() if each.name != FRAMES}
        self._outputs = [LOG_POSTERIORS, *(name + AFTER for name in self._state)]
        if FRAMES not in names or {each.name for each in self._session.get_outputs()} != set(self._outputs):
            raise ValueError(f"{place} has the inputs {', '.join(names)}, so it is no streaming network of a bundle")
        self._try()

    def initial_state(self) -> State:
        """Of one stream, before its first frame."""
        shapes = ([side if isinstance(side, int) else 1 for side in shape] for shape in self._state.values())
        return tuple(np.zeros(shape, np.float32) for shape in shapes)

    def run(self, frames: Float32, state: State) -> tuple[Float32, State]:
        """Log posteriors [frames, senones] of at least one frame [frames, inputs], and the state behind it."""
        given = {FRAMES: frames[None], **dict(zip(self._state, state, strict=True))}
        posteriors, *after = self._session.run(self._outputs, given)
        return posteriors[0], tuple(after)

    def _try(self) -> None:
        """ValueError unless a frame goes through as it should."""
        try:
            posteriors, after = self.run(np.zeros((1, self.shape.inputs), np.float32), self.initial_state())
            shapes = [each.shape for each in (posteriors, *after)]
            expected = [(1, self.shape.senones), *(each.shape for each in self.initial_state())]
            fits = shapes == expected and bool(np.isfinite(posteriors).all())
        except Exception as error:
            raise ValueError(f"{self._place} can't be run ({_line(error)}); export the bundle again") from None
        if not fits:
            raise ValueError(
                f"{self._place} does not give {self.shape.senones} log posteriors of {self.shape.inputs} inputs; "
                "export the bundle again"
            )


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors: they are raised too
    # Idle threads would take the core from the search.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
