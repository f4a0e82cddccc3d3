"""A process that is at work on a stage of a run, as one that was started in another terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OTHER = """
import sys, time
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_clock import StageClock
clock = StageClock(Recipe(run=sys.argv[1]), sys.argv[2], "key")
clock.heartbeat()
print("begun", flush=True)
time.sleep(100)
"""


@contextmanager
def at_work(run: str, stage: str) -> Iterator[subprocess.Popen[bytes]]:
    """Inside it is; then it is killed."""
    other = subprocess.Popen([sys.executable, "-c", OTHER, run, stage], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        yield other
    finally:
        other.kill()
        other.wait()
