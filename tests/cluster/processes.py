"""Processes by their ids, with the time they began: an id may be given anew, so the pair is what is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    began: str  # clock ticks since boot


def process(pid: int) -> Process | None:
    """None where there is none, or one that has ended and only waits to be read."""
    try:
        # The name, in brackets, may hold spaces.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else Process(pid, fields[18])


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def descendants(pid: int) -> list[Process]:
    """Processes that this one started, and those that they did."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [one for one in [process(child)] if one is not None] + descendants(child)
    return found


def kill(one: Process) -> bool:
    """SIGKILL, if it still lives."""
    if process(one.pid) != one:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(one.pid, signal.SIGKILL)
        return True
    return False


def end_all(processes: Iterable[Process], seconds: float = 10) -> list[Process]:
    """Kill them and wait; returns those that outlived that."""
    left, until = list(processes), time.monotonic() + seconds
    while left and time.monotonic() < until:
        left = [one for one in left if kill(one)]
        time.sleep(0.05)
    return left
