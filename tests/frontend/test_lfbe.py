"""LFBE against an implementation of our own in numpy, and its edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ssl_asr.frontend.lfbe import NO_SIGNAL, lfbe, num_frames
from ssl_asr.recipe import Frontend

NARROW = Frontend(sample_rate=8000, high_hz=3900)
WIDE = Frontend(sample_rate=16000, high_hz=7600)


def speechlike(frontend: Frontend, seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """A voice's harmonics with a changing pitch and loudness, and some noise."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * frontend.sample_rate)) / frontend.sample_rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.3 * time)) / frontend.sample_rate
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 25))
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * 2.1 * time)
    return (0.1 * voice * loud + 0.002 * generator.standard_normal(len(time))).astype(np.float32)


def by_definition(waveform: npt.NDArray[np.float32], frontend: Frontend) -> npt.NDArray[np.float64]:
    """Povey window, pre-emphasis 0.97, power spectrum, triangles on the mel scale, natural logarithm."""
    rate = frontend.sample_rate
    window, hop = rate * 25 // 1000, rate // 100
    size = 1 << (window - 1).bit_length()
    samples = waveform.astype(np.float64) * 32768
    count = (len(samples) + hop // 2) // hop
    starts = np.arange(count) * hop + hop // 2 - window // 2
    places = starts[:, None] + np.arange(window)
    # The signal is mirrored at both ends, its outermost samples included.
    places = np.where(places < 0, -1 - places, places)
    places = np.where(places >= len(samples), 2 * len(samples) - 1 - places, places)
    frames = samples[places]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = frames * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))) ** 0.85
    power = np.abs(np.fft.rfft(frames, size)) ** 2
    return np.log(np.maximum(power @ triangles(frontend, size), 1e-10))


def triangles(frontend: Frontend, size: int) -> npt.NDArray[np.float64]:
    def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    corners = np.linspace(mel(frontend.low_hz), mel(frontend.high_hz), frontend.mel_bins + 2)
    bins = mel(np.arange(size // 2 + 1) * frontend.sample_rate / size)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


@pytest.mark.parametrize("frontend", [NARROW, WIDE], ids=["8 kHz", "16 kHz"])
@pytest.mark.parametrize("seconds", [0.025, 0.333, 2.0049])
def test_it_is_the_textbook_filter_bank(frontend: Frontend, seconds: float) -> None:
    waveform = speechlike(frontend, seconds)
    features = lfbe(waveform, frontend)
    expected = by_definition(waveform, frontend)
    assert features.shape == expected.shape
    assert features.dtype == np.float32
    assert np.abs(features - expected).max() < 2e-2  # single precision, at the emptiest bins
    assert np.abs(features - expected).mean() < 2e-4


@pytest.mark.parametrize("samples", [200, 239, 240, 279, 280, 8000, 8039, 8040])
def test_frames_are_counted_as_they_are_made(samples: int) -> None:
    assert len(lfbe(speechlike(NARROW, 2)[:samples], NARROW)) == num_frames(samples, 8000)


def test_digital_silence_is_finite_and_known_again() -> None:
    assert np.isfinite(lfbe(np.zeros(8000, np.float32), NARROW)).all()
    assert (lfbe(np.zeros(8000, np.float32), NARROW) < NO_SIGNAL).all()
    faint = 1e-3 * speechlike(NARROW, 1)
    assert (lfbe(faint, NARROW).max(axis=1) > NO_SIGNAL).all()


def test_the_same_audio_gives_the_same_bits() -> None:
    waveform = speechlike(NARROW, 1)
    np.testing.assert_array_equal(lfbe(waveform, NARROW), lfbe(waveform, NARROW))


def test_less_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="199 samples are less than one window of 200"):
        lfbe(np.zeros(199, np.float32), NARROW)
