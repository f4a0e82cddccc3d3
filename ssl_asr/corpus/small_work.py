"""Work that takes less time than the start of actors is done in this process, other work by Ray's actors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ssl_asr.progress import Progress, Step, Watch
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import HOURS, SHARDS, ShardJob, run_shard_jobs
from ssl_asr.store.ledger import Reject, Shard

# Where audio is listened to: less hours of it than these, which take 10 seconds.
SMALL_HOURS = 1.0


def placed(
    what: str,
    shards: Sequence[Shard],
    make_job: Callable[[], ShardJob],
    *,
    skipped: float,
    hours: Mapping[Shard, float] | None = None,
    is_small: bool,
    watch: Watch = lambda step: None,
) -> list[Reject]:
    """Done here where it is small: by the lists' bytes, or by hours of audio where these are given.

    `watch` is told how far the work is.
    """
    if not shards:
        return []
    here = is_small if hours is None else sum(hours[shard] for shard in shards) < SMALL_HOURS
    if here:
        return in_this_process(what, shards, make_job, skipped=skipped, hours=hours, watch=watch)
    with joined():
        return run_shard_jobs(what, shards, make_job, skipped=skipped, hours=hours, watch=watch)


def in_this_process(
    what: str,
    shards: Sequence[Shard],
    make_job: Callable[[], ShardJob],
    *,
    skipped: float,
    hours: Mapping[Shard, float] | None = None,
    watch: Watch = lambda step: None,
) -> list[Reject]:
    job = make_job()
    progress = None
    if hours is not None:
        progress = Progress(what, sum(hours[shard] for shard in shards) + skipped, HOURS)
        progress.skip(skipped)
    for place, shard in enumerate(shards):
        job(shard)
        if progress is not None and hours is not None:
            progress.advance(hours[shard])
            watch(progress.step)
        else:
            watch(Step(what, place + 1 + skipped, len(shards) + skipped, SHARDS))
    return []
