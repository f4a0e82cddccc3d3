"""Processes by their ids, with the time they began: an id may be given anew, so the pair is what is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from ssl_asr.runtime.ownership import began

ROOT = Path(__file__).parents[2]


class Process(NamedTuple):
    pid: int
    began: str  # clock ticks since boot


def process(pid: int) -> Process | None:
    """None where there is none, or one that has ended and only waits to be read."""
    since = began(pid)
    return None if since is None else Process(pid, since)


def title(pid: int) -> str:
    """The command line, a null byte between its words."""
    with contextlib.suppress(psutil.Error):
        return "\0".join(psutil.Process(pid).cmdline())
    return ""


def descendants(pid: int) -> list[Process]:
    """Processes that this one started, and those that they did."""
    with contextlib.suppress(psutil.Error):
        below = (process(child.pid) for child in psutil.Process(pid).children(recursive=True))
        return [one for one in below if one is not None]
    return []


def named(text: str) -> list[Process]:
    """Processes with this in their command line, but this one: those, too, that outlived who started them."""
    found = (process(pid) for pid in psutil.pids() if pid != os.getpid() and text in title(pid))
    return [one for one in found if one is not None]


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


@contextlib.contextmanager
def module_of_tests(*command: str, environment: Mapping[str, str] | None = None) -> Iterator[Iterator[str]]:
    """Lines of a module of tests run as a process, which must end well; whatever it started ends with it."""
    running = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    try:
        yield echoed(running.stdout)
        assert running.wait() == 0
    finally:
        below = descendants(running.pid)
        running.terminate()
        running.wait(30)
        end_all(below)


def echoed(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        print(line, end="", flush=True)
        yield line
