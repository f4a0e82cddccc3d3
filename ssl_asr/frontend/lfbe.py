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
    bank = knf.OnlineFbank(_options(frontend))
    bank.accept_waveform(frontend.sample_rate, (waveform * np.float32(FULL_SCALE)).tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(index) for index in range(bank.num_frames_ready)])


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
