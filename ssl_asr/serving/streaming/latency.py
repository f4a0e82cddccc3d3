"""How long live words take: from the end of a piece of audio to the moment that results cover it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable

from ssl_asr.decoding.scores import FRAME_SECONDS


class Pace:
    """The clock of audio that comes at real time: its second s is there at time s, never before.

    With `waits`, `wait` sleeps until then, and times are real ones. Without, nothing sleeps and the clock leaps to
    that moment, so audio that is read as fast as possible has the times that it would have had live, on this machine
    with this load. Time between `end` and the next `begin` does not count as work. `work_clock` measures work: with
    `time.process_time`, other programs on the machine hardly matter.
    """

    def __init__(self, waits: bool, work_clock: Callable[[], float] = time.perf_counter) -> None:
        self._waits, self._work_clock = waits, work_clock
        self._origin = time.perf_counter()
        self._now = self._began = 0.0
        self.busy = 0.0  # seconds of work

    def wait(self, seconds: float) -> None:
        """Until so many seconds of audio are there."""
        if self._waits:
            time.sleep(max(self._origin + seconds - time.perf_counter(), 0.0))

    def begin(self, seconds: float) -> None:
        """Work on the audio up to `seconds`."""
        self._now = time.perf_counter() - self._origin if self._waits else max(self._now, seconds)
        self._began = self._work_clock()

    def end(self) -> float:
        """The work is done and its results are shown; the time at which."""
        spent = self._work_clock() - self._began
        self.busy += spent
        self._now += spent
        return self._now


class Latencies:
    """Latency of every 30 ms of audio, in whole milliseconds; memory does not grow with a session.

    It is the time from the end of the frame to the results that take it into account. It has the network's
    look-ahead, the waiting for a chunk and a block to be complete, the computation, and the waiting for it.
    """

    def __init__(self) -> None:
        self._counts, self._frames = Counter[int](), 0

    def add(self, decoded_seconds: float, now: float) -> None:
        """Results up to `decoded_seconds` of audio are shown at `now`."""
        frames = round(decoded_seconds / FRAME_SECONDS)
        for frame in range(self._frames, frames):
            self._counts[round(1000 * (now - FRAME_SECONDS * (frame + 1)))] += 1
        self._frames = max(frames, self._frames)

    def merge(self, other: Latencies) -> None:
        """Those of another stream too."""
        self._counts += other._counts

    def percentile(self, percent: float) -> float:
        """In seconds: the least one that so many percent of the frames don't exceed; NaN if there is no frame."""
        left = math.ceil(percent / 100 * self._counts.total())
        for milliseconds, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                return milliseconds / 1000
        return math.nan
