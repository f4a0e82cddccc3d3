"""How results came about: the source, the machine and the day."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

from ssl_asr.report.versions import machine_text
from ssl_asr.studies.outcome import Provenance


def provenance_of(command: str, minutes: float) -> Provenance:
    """Of what runs now; `minutes` are those of its runs, 0 where unknown."""
    return Provenance(command, _commit(), machine_text(), date.today().isoformat(), minutes)


def _commit() -> str:
    """Of the source that runs; "unknown" where it is no checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"
