"""The memory of a benchmark's process."""

from __future__ import annotations

from pathlib import Path


def peak_megabytes() -> float:
    """Of this process so far. Not by getrusage, whose peak begins with that of the process that started this one."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024
