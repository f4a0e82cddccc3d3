"""One job for every shard, placed by Ray Data: an elastic pool of actors, one row in, one finished shard out.

A row that Ray Data hands out is a shard's name, not its data. The job reads one store and publishes to another
by itself, so what a shard holds depends on the shard alone, whichever actor makes it, however often it is tried
and in whatever order. Ray Data sees to placing, growing and shrinking the pool, and retries after lost nodes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import ray
import ray.data

from ssl_asr.failure import sentence_of
from ssl_asr.progress import Progress
from ssl_asr.store.ledger import Reject, Shard

# Rows beyond this share a block: the driver keeps a reference for every block.
MAX_BLOCKS = 4096
# New datasets without a single shard finished before the job is given up.
MAX_ATTEMPTS = 3

logger = logging.getLogger(__name__)


class ShardJob(Protocol):
    """What an actor holds: called with a shard, publishes it; ValueError where the shard cannot be made."""

    def __call__(self, shard: Shard) -> object: ...


class _Actor:
    """Ray Data's view of a job: rows of plain values in and out, a shard's failure as a value."""

    def __init__(self, make_job: Callable[[], ShardJob]) -> None:
        self.job = make_job()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            self.job(Shard(row["split"], row["number"]))
        except ValueError as error:
            return {**row, "error": str(error)}
        return {**row, "error": ""}


def run_shard_jobs(
    what: str,
    shards: Sequence[Shard],
    make_job: Callable[[], ShardJob],
    *,
    skipped: int = 0,
    pool: tuple[int, int | None] = (1, None),
    num_cpus: float = 1.0,
    num_gpus: float = 0.0,
) -> list[Reject]:
    """Publish all `shards`; returns those that could not be made, each with its reason.

    `make_job` is called once in every actor and builds what is costly, such as a network. `pool` is the least
    and the most actors; without a most, the pool grows with the cluster. `skipped` shards count as done in the
    progress line. Call it inside `ssl_asr.cluster.joined`.
    """
    _hush_ray_data()
    progress = Progress(what, len(shards) + skipped, "shards")
    progress.skip(skipped)
    if not shards:
        return []
    left, failed, attempts = dict.fromkeys(shards), [], 0
    while left:
        before = len(left)
        try:
            for row in _rows(list(left), make_job, pool, num_cpus, num_gpus):
                shard = Shard(row["split"], row["number"])
                left.pop(shard, None)
                if row["error"]:
                    failed.append(Reject(shard.name, row["error"]))
                progress.advance()
        except Exception as error:
            # Ray Data gives up on a whole dataset when a node or an actor dies at a bad moment. Shards are done by
            # the ledger, not by it, so what is left goes on in a new one; a refusal, or no progress, ends the job.
            attempts = attempts + 1 if len(left) == before else 0
            if sentence_of(error) is not None or attempts == MAX_ATTEMPTS:
                raise
            logger.warning("%s: Ray Data stopped (%s); going on with %d shards", what, _last_line(error), len(left))
    return sorted(failed, key=lambda reject: reject.id)


def _rows(
    shards: Sequence[Shard],
    make_job: Callable[[], ShardJob],
    pool: tuple[int, int | None],
    num_cpus: float,
    num_gpus: float,
) -> Iterator[dict[str, Any]]:
    """A row for each shard as it is finished, with the sentence of its failure or nothing."""
    rows = [{"split": shard.split, "number": shard.number} for shard in shards]
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS)).map(
        _Actor,
        fn_constructor_args=(make_job,),
        compute=ray.data.ActorPoolStrategy(min_size=min(pool[0], len(rows)), max_size=pool[1]),
        num_cpus=num_cpus,
        num_gpus=num_gpus or None,
    )
    yield from dataset.iter_rows()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _hush_ray_data() -> None:
    """Its plans and bars go to Ray's log files; the terminal belongs to our own progress line."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)
