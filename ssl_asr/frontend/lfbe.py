"""Log mel filter-bank energies (LFBE) as Kaldi computes them: 64 bins, windows of 25 ms every 10 ms."""

from __future__ import annotations

from functools import lru_cache

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt

from ssl_asr.recipe import Frontend

FRAME_SECONDS = 0.01
WINDOW_SECONDS = 0.025
# Kaldi's constants are made for 16-bit samples.
FULL_SCALE = 32768.0
# The least energy of a bin, far below any recording's, however quiet; `EnergyFloor` raises it.
LEAST_ENERGY = 1e-10
# A frame of which no bin is above this log energy, one 16-bit step squared, is digital silence or a codec's remains.
NO_SIGNAL = 0.0


def num_frames(samples: int, sample_rate: int) -> int:
    """Number of 10 ms frames of `samples`: samples / hop, rounded, because the signal is mirrored at its ends."""
    hop = round(sample_rate * FRAME_SECONDS)
    return (samples + hop // 2) // hop


def lfbe(waveform: npt.NDArray[np.float32], frontend: Frontend) -> npt.NDArray[np.float32]:
    """LFBE [10 ms frames, mel_bins] of a waveform [samples] in [-1, 1]; ValueError if it is shorter than a window."""
    window = round(frontend.sample_rate * WINDOW_SECONDS)
    if len(waveform) < window:
        raise ValueError(f"{len(waveform)} samples are less than one window of {window}; drop the utterance")
    bank = OnlineLfbe(frontend)
    return np.concatenate([bank.accept(waveform), bank.finish()])


class OnlineLfbe:
    """The same for audio that comes in pieces: together, the frames are those of the whole, bit for bit."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend
        self._bank = knf.OnlineFbank(_options(frontend))
        self._samples, self._frames = 0, 0

    def accept(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """LFBE [10 ms frames, mel_bins] of which the windows are complete now; samples in [-1, 1]."""
        self._bank.accept_waveform(self._frontend.sample_rate, (waveform * np.float32(FULL_SCALE)).tolist())
        self._samples += len(waveform)
        return self._new()

    def finish(self) -> npt.NDArray[np.float32]:
        """The last frames, for which the signal is mirrored; none of a signal that is shorter than a window."""
        if self._samples < round(self._frontend.sample_rate * WINDOW_SECONDS):
            return self._stacked([])
        self._bank.input_finished()
        return self._new()

    def _new(self) -> npt.NDArray[np.float32]:
        ready = self._bank.num_frames_ready
        frames = self._stacked([self._bank.get_frame(index) for index in range(self._frames, ready)])
        self._bank.pop(ready - self._frames)  # else the bank keeps every frame
        self._frames = ready
        return frames

    def _stacked(self, frames: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        return np.stack(frames) if frames else np.zeros((0, self._frontend.mel_bins), np.float32)


@lru_cache
def _options(frontend: Frontend) -> knf.FbankOptions:
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = frontend.sample_rate
    options.frame_opts.frame_length_ms = 1000 * WINDOW_SECONDS
    options.frame_opts.frame_shift_ms = 1000 * FRAME_SECONDS
    options.frame_opts.dither = 0.0  # random: the same audio has to give the same bytes
    options.frame_opts.snip_edges = False
    options.frame_opts.window_type = "povey"
    options.mel_opts.num_bins = frontend.mel_bins
    options.mel_opts.low_freq = frontend.low_hz
    options.mel_opts.high_freq = frontend.high_hz
    options.eps = LEAST_ENERGY
    return options
