"""The bundle's network by onnxruntime: frames and state in, outputs of each frame and the new state out.

The outputs are log posteriors of senones, or what the joiner of a transducer takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ssl_asr.serving.description import Shape
from ssl_asr.serving.onnx_file import check_onnx

Float32 = npt.NDArray[np.float32]
State = tuple[npt.NDArray[Any], ...]
FRAMES, LOG_POSTERIORS, AFTER = "frames", "log_posteriors", "_after"
MOST_STATE = 20_000_000  # values that are carried from frame to frame
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class Network:
    """Any number of streams may use one network: it holds no state.

    The state before frame t is a tuple of tensors of one stream. A size of theirs that the file does not give is 0
    before the first frame, and grows. Where a pass is cut matters only to rounding.
    """

    def __init__(
        self, model: bytes, shape: Shape, place: str, threads: int = 1, output: str = LOG_POSTERIORS
    ) -> None:
        """`model` is the content of the file at `place`; ValueError if it is no network of this shape."""
        self.shape, self._place = shape, place
        self._session = open_session(model, place, threads)
        inputs = {each.name: each for each in self._session.get_inputs()}
        carried = [each for name, each in inputs.items() if name != FRAMES]
        self._outputs = [output, *(each.name + AFTER for each in carried)]
        outputs = {each.name for each in self._session.get_outputs()}
        if FRAMES not in inputs or outputs != set(self._outputs) or not _is_state(carried):
            raise ValueError(
                f"{place} has the inputs {', '.join(inputs)[:200]}, so it is no streaming network of a bundle; "
                "export the bundle again"
            )
        self._state = {each.name: (each.shape, _TYPES[each.type]) for each in carried}
        self._grows = any(isinstance(side, str) for shape, _ in self._state.values() for side in shape)
        self._try()

    def initial_state(self) -> State:
        """Of one stream, before its first frame."""
        return tuple(np.zeros(_at_begin(shape), kind) for shape, kind in self._state.values())

    def run(self, frames: Float32, state: State) -> tuple[Float32, State]:
        """Outputs [frames, shape.outputs] of at least one frame [frames, inputs], and the state behind it.

        ValueError if the state has grown beyond MOST_STATE, which that of no export does.
        """
        given = {FRAMES: frames[None], **dict(zip(self._state, state, strict=True))}
        outputs, *after = self._session.run(self._outputs, given)
        if self._grows and sum(each.size for each in after) > MOST_STATE:
            raise ValueError(f"{self._place} keeps more than {MOST_STATE:,} values of a stream; export it again")
        return outputs[0], tuple(after)

    def _try(self) -> None:
        """ValueError unless frames go through as they should, two and then one."""
        state, fits = self.initial_state(), True
        try:
            for frames in (2, 1):
                outputs, after = self.run(np.zeros((frames, self.shape.inputs), np.float32), state)
                known = [(frames, self.shape.outputs), *(shape for shape, _ in self._state.values())]
                fits &= all(_is_of(*each) for each in zip((outputs, *after), known, strict=True))
                fits &= outputs.dtype == np.float32 and all(
                    bool(np.isfinite(each).all()) for each in (outputs, *after)
                )
                state = after
        except Exception as error:
            raise ValueError(f"{self._place} can't be run ({line_of(error)}); export the bundle again") from None
        if not fits:
            raise ValueError(
                f"{self._place} does not give {self.shape.outputs} outputs of {self.shape.inputs} inputs; "
                "export the bundle again"
            )


def open_session(model: bytes, place: str, threads: int = 1) -> Any:
    """ValueError unless `model` is such a file as exports write, and onnxruntime can read it."""
    try:
        check_onnx(model)
        return onnxruntime.InferenceSession(model, _options(threads), ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        raise ValueError(f"{place} is no network of a bundle ({line_of(error)}); export the bundle again") from None


def _is_state(carried: Sequence[Any]) -> bool:
    """Whether tensors of these shapes can be made and kept for a stream. A size that grows is a name."""
    known = all(each.type in _TYPES and all(isinstance(side, int | str) for side in each.shape) for each in carried)
    return known and sum(math.prod(_at_begin(each.shape)) for each in carried) <= MOST_STATE


def _at_begin(shape: Sequence[int | str]) -> tuple[int, ...]:
    return tuple(0 if isinstance(side, str) else side for side in shape)


def _is_of(array: npt.NDArray[Any], shape: Sequence[int | str]) -> bool:
    return array.ndim == len(shape) and all(
        isinstance(wanted, str) or side == wanted for side, wanted in zip(array.shape, shape, strict=True)
    )


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors: they are raised too
    # Sizes differ from call to call, and onnxruntime would keep a plan of its memory for each.
    options.enable_mem_pattern = False
    # Idle threads would take the core from the search.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def line_of(error: Exception) -> str:
    """The start of what it says, in one line."""
    return " ".join(str(error).split())[:200]
