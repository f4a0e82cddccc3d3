"""Processor time of several pieces of work, measured in turns so that a change of the machine's speed meets all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from ssl_asr.runtime.shard_maker import ShardMaker
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Shard


def afresh(job: ShardMaker, shard: Shard) -> None:
    """Make a shard again, even if it is there: a job makes nothing that is done."""
    filesystem.delete(job.store.ledger_uri(shard))
    job(shard)


def median_seconds(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Of one call of each, over so many rounds."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            began = time.process_time()
            function()
            taken[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in taken.items()}
