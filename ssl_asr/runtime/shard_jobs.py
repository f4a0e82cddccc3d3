"""One job for every shard, placed by Ray Data: an elastic pool of actors, one row in, one finished shard out.

A row that Ray Data assignments out is a shard's name, not its data. The job reads one store and publishes to another
by itself, so what a shard holds depends on the shard alone, whichever actor makes it, however often it is tried
and in whatever order. Ray Data sees to placing, growing and shrinking the pool, and retries after lost nodes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ssl_asr.progress import Progress
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.store.ledger import Reject, Shard

# Rows beyond this share a block: the driver keeps a reference for every block.
MAX_BLOCKS = 4096
# Datasets that end without one more shard, or by an error of the job itself, before the job is given up.
MAX_ATTEMPTS = 5

logger = logging.getLogger(__name__)


class ShardJob(Protocol):
    """What an actor holds: called with a shard, publishes it; ValueError where the shard cannot be made."""

    def __call__(self, shard: Shard) -> object: ...


@dataclass(frozen=True)
class Pool:
    """Actors of a job: the least and the most of them (None: as many as the cluster has room for), and what each has.

    With `shards_at_once` above 1 an actor calls its job from as many threads, so that one shard is read or written
    while another is computed; the job sees to what must not happen at the same time.
    """

    least: int = 1
    most: int | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    shards_at_once: int = 1


class _Actor:
    """Ray Data's view of a job: rows of plain values in and out, a shard's failure as a value."""

    def __init__(self, make_job: Callable[[], ShardJob]) -> None:
        self.job = make_job()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        began, error = time.monotonic(), ""
        try:
            self.job(Shard(row["split"], row["number"]))
        except ValueError as refusal:
            error = str(refusal)
        return {**row, "error": error, "seconds": time.monotonic() - began}


def run_shard_jobs(
    what: str,
    shards: Sequence[Shard],
    make_job: Callable[[], ShardJob],
    *,
    skipped: int = 0,
    pool: Pool = Pool(),
    on_shard: Callable[[float], None] | None = None,
) -> list[Reject]:
    """Publish all `shards`; returns those that could not be made, each with its reason.

    `make_job` is called once in every actor and builds what is costly, such as a network. `skipped` shards count
    as done in the progress line. `on_shard` is told of every finished shard's seconds of an actor's time. Call it
    inside `ssl_asr.runtime.cluster.joined`.
    """
    from ray.data.exceptions import UserCodeException

    _hush_ray_data()
    progress = Progress(what, len(shards) + skipped, "shards")
    progress.skip(skipped)
    if not shards:
        return []
    left, failed, fruitless, bugs = dict.fromkeys(shards), [], 0, 0
    while left:
        before = len(left)
        try:
            for row in _rows(list(left), make_job, pool):
                shard = Shard(row["split"], row["number"])
                left.pop(shard, None)
                if row["error"]:
                    failed.append(Reject(shard.name, row["error"]))
                if on_shard is not None:
                    on_shard(row["seconds"] / pool.shards_at_once)
                progress.advance()
        except Exception as error:
            # Ray Data gives up on a whole dataset when a node or an actor dies at a bad moment. Shards are done by
            # the ledger, not by it, so what is left goes on in a new one. What ends the job: a refusal, no progress,
            # or errors of the job itself again and again.
            fruitless = fruitless + 1 if len(left) == before else 0
            bugs += isinstance(error, UserCodeException)
            if sentence_of(error) is not None or MAX_ATTEMPTS in (fruitless, bugs):
                raise
            logger.warning("%s: Ray Data stopped (%s); going on with %d shards", what, _last_line(error), len(left))
            first = next(iter(left), None)
            if first is not None:
                left[first] = left.pop(first)  # maybe the one at fault: others shall not wait for it
    return sorted(failed, key=lambda reject: reject.id)


def _rows(shards: Sequence[Shard], make_job: Callable[[], ShardJob], pool: Pool) -> Iterator[dict[str, Any]]:
    """A row for each shard as it is finished, with the sentence of its failure or nothing."""
    import ray.data

    rows = [{"split": shard.split, "number": shard.number} for shard in shards]
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS)).map(
        _Actor,
        fn_constructor_args=(make_job,),
        compute=ray.data.ActorPoolStrategy(
            min_size=min(pool.least, len(rows)),
            max_size=pool.most,
            # No shard waits at one actor while another has nothing to do.
            max_tasks_in_flight_per_actor=pool.shards_at_once,
            max_concurrent_calls_per_actor=pool.shards_at_once,
            enable_true_multi_threading=pool.shards_at_once > 1,
        ),
        num_cpus=pool.num_cpus,
        num_gpus=pool.num_gpus or None,
    )
    yield from dataset.iter_rows()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _hush_ray_data() -> None:
    """Its plans and bars go to Ray's log files; the terminal belongs to our own progress line."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)
