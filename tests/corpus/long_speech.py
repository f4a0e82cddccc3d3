"""Long recordings of real clips with pauses, whose places a test knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from tests.corpus.conftest import Clip

RATE = 16000
_WINDOW = RATE // 50
_AUDIBLE = 10 ** (-40 / 10)  # of the power of the loudest window


@dataclass(frozen=True)
class Talk:
    """Samples at 16 kHz, and for each window of 20 ms whether speech is heard in it."""

    samples: npt.NDArray[np.float32]
    spoken: npt.NDArray[np.bool_]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    def write(self, file: Path, *, rate: int = RATE, channel: int = 0, channels: int = 1) -> Path:
        """As one channel of a file; the others are silent."""
        samples = soxr.resample(self.samples, RATE, rate) if rate != RATE else self.samples
        every = np.zeros((len(samples), channels), np.float32)
        every[:, channel] = samples
        soundfile.write(file, np.clip(every, -1, 1), rate)
        return file

    def covered(self, segments: Sequence[tuple[float, float]]) -> float:
        """The share of the speech that lies inside (start, end) in seconds."""
        middles = (np.arange(len(self.spoken)) + 0.5) * _WINDOW / RATE
        inside = np.zeros(len(middles), bool)
        for start, end in segments:
            inside |= (start <= middles) & (middles < end)
        return float(inside[self.spoken].mean())


def talk(clips: Sequence[Clip], seconds: float, seed: int = 0) -> Talk:
    """Clips in random order, between pauses of low noise: short ones and long ones."""
    random = np.random.default_rng(seed)
    parts, heard, length = list[np.ndarray](), list[np.ndarray](), 0
    while length < seconds * RATE:
        pause = 1e-4 * random.standard_normal(int(random.choice([0.1, 0.3, 1, 3]) * RATE) // _WINDOW * _WINDOW)
        clip = clips[int(random.integers(len(clips)))].samples
        clip = clip[: len(clip) // _WINDOW * _WINDOW]
        powers = np.square(clip).reshape(-1, _WINDOW).mean(axis=1)
        parts += [pause.astype(np.float32), clip]
        heard += [np.zeros(len(pause) // _WINDOW, bool), powers > _AUDIBLE * powers.max()]
        length += len(pause) + len(clip)
    return Talk(np.concatenate(parts), np.concatenate(heard))
