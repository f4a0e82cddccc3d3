"""Impulse responses of simulated rooms.

Early reflections come from the image method in a box (Allen & Berkley 1979). Late ones come from noise that decays
with the room's reverberation time (Polack 1988). This takes a few milliseconds; all images would take seconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Waveform = npt.NDArray[np.float32]
SOUND_METRES_A_SECOND = 343.0
_EARLY_SECONDS = 0.06
_MATCHED_SECONDS = 0.02  # the end of the early part, whose power the tail starts from


def impulse_response(rng: np.random.Generator, sample_rate: int) -> Waveform:
    """A random room, talker and microphone: [samples], starting with the direct sound, of power one.

    Rooms are 3-8 x 3-6 x 2.4-3.5 m with 0.2-0.7 s of reverberation, distances 0.5 m and more.
    """
    return impulse_responses(rng, sample_rate, 1)[0]


def impulse_responses(rng: np.random.Generator, sample_rate: int, talkers: int) -> list[Waveform]:
    """The same for so many talkers, at least one, before one microphone in one random room."""
    size = rng.uniform([3.0, 3.0, 2.4], [8.0, 6.0, 3.5])
    reverberation = rng.uniform(0.2, 0.7)
    first = rng.uniform(0.5, size - 0.5)
    microphone = _place(rng, size, first)
    places = [first, *(_place(rng, size, microphone) for _ in range(talkers - 1))]
    responses = []
    for talker in places:
        early = _early(size, reverberation, talker, microphone, sample_rate)
        response = _with_tail(early, reverberation, rng, sample_rate)
        responses.append((response / np.sqrt(np.sum(response**2))).astype(np.float32))
    return responses


def reverberate(waveform: Waveform, response: Waveform) -> Waveform:
    """`waveform` [samples] with reverberation, at the loudness and length of the original."""
    # Imported here: it takes a second, and many processes import this module and need no room.
    from scipy.signal import fftconvolve

    wet = fftconvolve(waveform, response)[: len(waveform)]
    power = float(np.mean(np.square(wet)))
    loudness = np.sqrt(float(np.mean(np.square(waveform, dtype=np.float64))) / power) if power else 1.0
    return (wet * loudness).astype(np.float32)


def _place(
    rng: np.random.Generator, size: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A random place in a room, at least 0.5 m from the walls and from the `other` place."""
    place = rng.uniform(0.5, size - 0.5)
    while np.linalg.norm(other - place) < 0.5:
        place = rng.uniform(0.5, size - 0.5)
    return place


def _early(
    size: npt.NDArray[np.float64],
    reverberation: float,
    talker: npt.NDArray[np.float64],
    microphone: npt.NDArray[np.float64],
    sample_rate: int,
) -> npt.NDArray[np.float64]:
    volume, surface = np.prod(size), 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorbed = min(0.161 * volume / (surface * reverberation), 0.95)  # Sabine
    reflected = np.sqrt(1 - absorbed)
    order = int(np.ceil(_EARLY_SECONDS * SOUND_METRES_A_SECOND / size.min())) + 1
    numbers = np.arange(-order, order + 1)
    grid = np.stack(np.meshgrid(numbers, numbers, numbers, indexing="ij"), axis=-1).reshape(-1, 3)
    images = grid * size + np.where(grid % 2 == 0, talker, size - talker)
    distances = np.linalg.norm(images - microphone, axis=1)
    gains = reflected ** np.abs(grid).sum(axis=1) / distances
    direct = np.linalg.norm(talker - microphone)
    # Time starts at the arrival of the direct sound, so speech stays aligned with its labels.
    at = np.rint((distances - direct) / SOUND_METRES_A_SECOND * sample_rate).astype(int)
    length = round(_EARLY_SECONDS * sample_rate)
    response = np.zeros(length)
    inside = at < length
    np.add.at(response, at[inside], gains[inside])
    return response


def _with_tail(
    early: npt.NDArray[np.float64], reverberation: float, rng: np.random.Generator, sample_rate: int
) -> npt.NDArray[np.float64]:
    tail = rng.standard_normal(round(reverberation * sample_rate))
    tail *= 10 ** (-3 * np.arange(len(tail)) / (reverberation * sample_rate))  # 60 dB in that time
    matched = early[-round(_MATCHED_SECONDS * sample_rate) :]
    return np.concatenate([early, tail * np.sqrt(np.mean(matched**2))])
