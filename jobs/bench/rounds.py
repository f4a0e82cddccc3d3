"""Processor time of several pieces of work, measured in turns so that a change of the machine's speed meets all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def median_seconds(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Of one call of each, over so many rounds."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            began = time.process_time()
            function()
            taken[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in taken.items()}
