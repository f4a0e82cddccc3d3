"""Progress of a long step with its estimated time of arrival, for a terminal or a log file."""

from __future__ import annotations

import sys
import time


class Progress:
    """Counts `total` pieces of work; a terminal gets one line rewritten, a log a line every `interval` seconds."""

    def __init__(self, what: str, total: int, unit: str, interval: float = 5.0) -> None:
        self.what, self.total, self.unit = what, max(total, 1), unit
        self.done = 0
        self._live = sys.stderr.isatty()
        self._interval = 0.2 if self._live else interval
        self._began = self._printed = time.monotonic()
        self._first = 0

    def skip(self, done: int) -> None:
        """Counts work that is already done; it does not enter the speed for the estimate."""
        self.done += done
        self._first += done

    def advance(self, pieces: int = 1, note: str = "") -> None:
        self.done += pieces
        now = time.monotonic()
        if now - self._printed >= self._interval or self.done >= self.total:
            self._printed = now
            self._print(now, note)

    def _print(self, now: float, note: str) -> None:
        spent = now - self._began
        fresh = self.done - self._first
        left = spent / fresh * (self.total - self.done) if fresh > 0 else 0.0
        when = f"{spent:.0f} s" if self.done >= self.total else f"{clock(left)} left"
        line = f"  {self.what}: {self.done}/{self.total} {self.unit}, {when}{', ' + note if note else ''}"
        ends = "\n" if not self._live or self.done >= self.total else ""
        print(("\r\033[K" if self._live else "") + line, end=ends, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds as text: "45 s", "3 min 05 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
