"""The cohorts that were found, as a file."""

from __future__ import annotations

import json
from dataclasses import asdict

from ssl_asr.fairness.results import CohortResults
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import cohorts_uri


def write_cohorts(folder: str, results: CohortResults) -> None:
    values = json.dumps(asdict(results), indent=1, allow_nan=False) + "\n"
    filesystem.write_bytes(cohorts_uri(folder), values.encode())
