"""The probability of speech in each window of 32 ms, by silero-vad's network, which comes in its package.

Silero Team, "Silero VAD", https://github.com/snakers4/silero-vad (MIT). Their Python code needs torch, so only the
weights are used, of the network that takes many windows in one call: each window comes with the end of the one before
it, and the LSTM's state is carried along. Audio of other rates is resampled: at 8 kHz this network finds the same
speech as their one for 8 kHz, which takes one window in a call and twice as long.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
WINDOW_SECONDS = 0.032
_WINDOW, _CONTEXT = 512, 64  # samples
_UNITS = 128
# So many windows go through the network together, always the same ones: results don't depend on how audio arrives.
_WINDOWS_A_CALL = 64


class VoiceActivity:
    """Listens to one recording, float32 at 16 kHz, in [-1, 1]."""

    def __init__(self) -> None:
        self._session = _session()
        self._hidden = self._cell = np.zeros((1, 1, _UNITS), np.float32)
        self._waiting = np.zeros(_CONTEXT, np.float32)  # silence comes before the first window

    def add(self, samples: Samples) -> tuple[Samples, Samples]:
        """Probability and mean square [windows] of the windows that could be computed after these samples [n]."""
        self._waiting = np.concatenate([self._waiting, samples])
        calls = (len(self._waiting) - _CONTEXT) // (_WINDOW * _WINDOWS_A_CALL)
        found = [self._judge(call * _WINDOWS_A_CALL, _WINDOWS_A_CALL) for call in range(calls)]
        self._waiting = self._waiting[calls * _WINDOWS_A_CALL * _WINDOW :]
        return _joined(found)

    def finish(self) -> tuple[Samples, Samples]:
        """Of the windows that are left at the end of the recording; the last one is filled with silence."""
        left = len(self._waiting) - _CONTEXT
        self._waiting = np.pad(self._waiting, (0, -left % _WINDOW))
        return _joined([self._judge(0, -(-left // _WINDOW))] if left else [])

    def _judge(self, first: int, count: int) -> tuple[Samples, Samples]:
        audio = self._waiting[first * _WINDOW : (first + count) * _WINDOW + _CONTEXT]
        windows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(audio, _CONTEXT + _WINDOW)[::_WINDOW])
        inputs = {"input": windows, "h": self._hidden, "c": self._cell}
        found, self._hidden, self._cell = self._session.run(["speech_probs", "hn", "cn"], inputs)
        return found.reshape(-1), np.square(windows[:, _CONTEXT:]).mean(axis=1)


def _joined(found: list[tuple[Samples, Samples]]) -> tuple[Samples, Samples]:
    nothing = np.zeros(0, np.float32)
    probabilities, powers = zip(*found, strict=True) if found else ((nothing,), (nothing,))
    return np.concatenate(probabilities), np.concatenate(powers)


@cache
def _session() -> Any:
    """The onnxruntime session of the network, on one thread; one a process, for all recordings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    place = str(weights("silero_vad_16k_sequence.onnx"))
    return onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"])


def weights(name: str) -> Path:
    """A file of silero-vad's package, which is found without importing it: that would load torch."""
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        raise ValueError("the package silero-vad, which finds speech in long recordings, is missing; install it")
    return Path(package.origin).parent / "data" / name
