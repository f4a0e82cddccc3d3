"""Progress of a long step with its estimated time of arrival, for a terminal or a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """How far a step is: `done` of `total` pieces, or parts of the unit."""

    what: str
    done: float
    total: float
    unit: str


Watch = Callable[[Step], None]  # is told of every piece that is done


class Progress:
    """Counts `total` pieces of work; a terminal gets one line rewritten, a log a line every `interval` seconds.

    Pieces are whole ones, or parts of a unit such as hours.
    """

    def __init__(self, what: str, total: float, unit: str, interval: float = 5.0) -> None:
        self.what, self.total, self.unit = what, total or 1, unit
        self.done: float = 0
        self._live = sys.stderr.isatty()
        self._interval = 0.2 if self._live else interval
        self._began = self._printed = time.monotonic()
        self._first: float = 0

    def skip(self, done: float) -> None:
        """Counts work that is already done; it does not enter the speed for the estimate."""
        self.done += done
        self._first += done

    def advance(self, pieces: float = 1, note: str = "") -> None:
        self.done += pieces
        now = time.monotonic()
        if now - self._printed >= self._interval or self._is_done:
            self._printed = now
            self._print(now, note)

    @property
    def step(self) -> Step:
        return Step(self.what, self.done, self.total, self.unit)

    def _print(self, now: float, note: str) -> None:
        spent = now - self._began
        fresh = self.done - self._first
        left = spent / fresh * (self.total - self.done) if fresh > 0 else 0.0
        when = f"{spent:.0f} s" if self._is_done else f"{clock(left)} left"
        count = f"{_amount(self.done)}/{_amount(self.total)} {self.unit}"
        line = f"  {self.what}: {count}, {when}{', ' + note if note else ''}"
        ends = "\n" if not self._live or self._is_done else ""
        print(("\r\033[K" if self._live else "") + line, end=ends, file=sys.stderr, flush=True)

    @property
    def _is_done(self) -> bool:
        return self.done >= self.total - 1e-6  # of a sum of parts


def _amount(pieces: float) -> str:
    return str(pieces) if isinstance(pieces, int) else f"{pieces:.{1 if pieces >= 10 else 2}f}"


def clock(seconds: float) -> str:
    """Seconds as text: "45 s", "3 min 05 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
