"""Speed perturbation: speech played slower or faster, in tempo and pitch (Ko et al. 2015), and its labels' times.

"speed-0.9" plays a recording at 0.9 of its speed, as `sox speed` does: the samples of another rate are taken for
those of the front end's. What the recording says at a time, the copy says at that time over the factor.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from ssl_asr.store.utterance import CLEAN

SLOWEST, FASTEST = 0.8, 1.25
_SPEED = re.compile(r"speed-(\d+(?:\.\d+)?)(?:\+(.+))?")
# Frames by which the length of a copy may differ from the recording's over the factor: both are rounded.
_ROUNDING = 2


def split_speed(condition: str) -> tuple[float, str]:
    """The factor of speed and the rest of a condition: (0.9, "room") of "speed-0.9+room", (1.0, "room") of "room"."""
    match = _SPEED.fullmatch(condition)
    return (float(match[1]), match[2] or CLEAN) if match else (1.0, condition)


def speed_of(condition: str) -> float:
    return split_speed(condition)[0]


def check_speed(condition: str) -> None:
    """ValueError if the condition changes the speed by too much, or says so of speech that stays as it is."""
    match = _SPEED.fullmatch(condition)
    if match is None:
        return
    factor = float(match[1])
    if factor == 1 or not SLOWEST <= factor <= FASTEST:
        raise ValueError(f"'{condition}' is not a condition; speeds are {SLOWEST:g} to {FASTEST:g}, other than 1")
    if match[2] == CLEAN or (match[2] and _SPEED.fullmatch(match[2])):
        raise ValueError(f"'{condition}' is not a condition; only noise or a room may follow a speed")


def fits(frames: int, recording_frames: int, factor: float) -> bool:
    """Whether a copy of `frames` frames is as long as a recording of so many makes it at this speed."""
    if factor == 1:
        return frames == recording_frames
    return abs(frames - recording_frames / factor) <= _ROUNDING


def recording_places(frames: int, recording_frames: int, factor: float) -> npt.NDArray[np.int64]:
    """For each of `frames` frames of a copy the frame of its recording [frames] that holds the middle of it.

    Frames of any length, of which the first begins at 0. The recording has at least one.
    """
    assert recording_frames > 0, "a recording without frames has no labels"
    middles = (np.arange(frames) + 0.5) * factor
    return np.minimum(middles.astype(np.int64), recording_frames - 1)
