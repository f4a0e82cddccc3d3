"""The owner of some work: names a process, so that another process can tell whether it may still be running."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def began(pid: int) -> str | None:
    """When the process began, in ticks since the machine did; None where there is none, or it can't be told.

    Not `psutil.Process.create_time`: it depends on the clock, which may be set between two looks.
    """
    try:
        # The process name is in brackets and may contain spaces.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else fields[18]


HOST = socket.gethostname()
THIS_PROCESS = f"process {os.getpid()} of {HOST}, begun {began(os.getpid())}"


def name_of(owner: str) -> str:
    """`owner`, the THIS_PROCESS of some process, as text for the user."""
    return owner.partition(", begun")[0]


def may_be_running(owner: str) -> bool:
    """Whether `owner`, the THIS_PROCESS of some process, may be running: not this process, not a dead local one."""
    if owner == THIS_PROCESS:
        return False
    _, pid, _, host, _, since = f"{owner} - - - - - -".replace(",", "").split()[:6]
    return host != HOST or not pid.isdigit() or began(int(pid)) == since
