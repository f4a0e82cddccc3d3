"""On what a run's report was made: the machine, and what is installed on it."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata


def machine_text() -> str:
    """ "x86_64, 2 cores, Linux"."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> tuple[tuple[str, str], ...]:
    """This machine, Python, and every direct dependency as installed."""
    names = []
    for requirement in metadata.requires("ssl-asr") or []:
        if "extra ==" not in requirement and (found := re.match(r"[A-Za-z0-9_.-]+", requirement)):
            names.append(found.group())
    return (
        ("machine", machine_text()),
        ("python", platform.python_version()),
        ("ssl-asr", metadata.version("ssl-asr")),
        *((name, metadata.version(name)) for name in sorted(names, key=str.lower)),
    )
