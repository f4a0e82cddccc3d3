"""The front end of Resemblyzer's network: mel energies without a logarithm, and the pieces that it hears.

Resemblyzer 0.1.4 takes these from librosa (melspectrogram, 0.10 and later: zeros beyond the ends); these are the same
numbers without it. Its trimming of long silences, by WebRTC's detector, is left out: a run's utterances are cut.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

SAMPLE_RATE = 16000
BINS = 40
PIECE_FRAMES = 160  # of 10 ms
_WINDOW, _HOP = 400, 160
_LOUDNESS = 10 ** (-30 / 20)  # root mean square to which quiet speech is raised
_STEP_FRAMES = 77  # 1.3 pieces a second
_LEAST_COVERAGE = 0.75
Samples = npt.NDArray[np.float32]


def raised(samples: Samples) -> Samples:
    """Speech below -30 dBFS made that loud; other speech, and silence, as it is."""
    loudness = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    return samples * np.float32(_LOUDNESS / loudness) if 0 < loudness < _LOUDNESS else samples


def mel_energies(samples: Samples) -> torch.Tensor:
    """Float32 [10 ms frames, 40] of samples at 16 kHz: a frame around every 160th sample, zeros beyond the ends."""
    spectrum = torch.stft(
        torch.from_numpy(samples),
        _WINDOW,
        _HOP,
        window=torch.hann_window(_WINDOW),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    return (mel_filters() @ spectrum.abs().square()).T


@lru_cache(maxsize=1)
def mel_filters() -> torch.Tensor:
    """Slaney's triangles of equal area (Auditory Toolbox 1998): float32 [40, frequencies] from 0 to 8 kHz."""
    edges = _hertz(np.linspace(0, _mel(SAMPLE_RATE / 2), BINS + 2))
    frequencies = np.linspace(0, SAMPLE_RATE / 2, _WINDOW // 2 + 1)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles = np.maximum(np.minimum(rising, falling), 0)
    return torch.from_numpy((triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32))


_LINEAR_BELOW, _HERTZ_A_MEL, _LOG_STEP = 1000.0, 200 / 3, np.log(6.4) / 27


def _mel(hertz: float) -> float:
    """Slaney's scale: linear below 1 kHz, logarithmic above."""
    assert hertz >= _LINEAR_BELOW, "used for the top of the scale"
    return float(_LINEAR_BELOW / _HERTZ_A_MEL + np.log(hertz / _LINEAR_BELOW) / _LOG_STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear = _LINEAR_BELOW / _HERTZ_A_MEL
    return np.where(mels < linear, mels * _HERTZ_A_MEL, _LINEAR_BELOW * np.exp(_LOG_STEP * (mels - linear)))


def piece_starts(samples: int) -> list[int]:
    """The first frame of each piece of 160 frames; the last is dropped where less than three quarters are speech."""
    frames = -(-(samples + 1) // _HOP)
    starts = list(range(0, max(1, frames - PIECE_FRAMES + _STEP_FRAMES + 1), _STEP_FRAMES))
    coverage = (samples / _HOP - starts[-1]) / PIECE_FRAMES
    return starts[:-1] if coverage < _LEAST_COVERAGE and len(starts) > 1 else starts


def pieces(samples: Samples) -> torch.Tensor:
    """Mel energies [pieces, 160, 40] of speech that is raised, with zeros behind its end where a piece is longer."""
    starts = piece_starts(len(samples))
    missing = max((starts[-1] + PIECE_FRAMES) * _HOP - len(samples), 0)
    energies = mel_energies(np.pad(raised(samples), (0, missing)))
    return torch.stack([energies[start : start + PIECE_FRAMES] for start in starts])
