"""One job for every shard, placed by Ray Data: an elastic pool of actors, one row in, one finished shard out.

A row in Ray Data is a shard's name, not its data. The job itself reads one store and publishes to another. So the
content of a shard depends on the shard alone, for any actor, any number of retries and any order. Ray Data places the
actors, grows and shrinks the pool, and retries after lost nodes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ssl_asr.progress import Progress, Watch
from ssl_asr.recipe import Cluster
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.store.ledger import Reject, Shard

# Rows beyond this share a block: the driver keeps a reference for every block.
MAX_BLOCKS = 4096
# The job is given up after this many datasets in a row without a new shard, or this many errors of the job itself.
MAX_ATTEMPTS = 5
# What a progress line counts, the second where shards have some.
SHARDS, HOURS = "shards", "hours of audio"
# A pool whose actors are busier than this grows, by two thirds of its size at a time.
BUSY_SHARE = 0.6

logger = logging.getLogger(__name__)


class ShardJob(Protocol):
    """What an actor holds: called with a shard, it publishes the shard; ValueError if the shard cannot be made."""

    def __call__(self, shard: Shard) -> object: ...


@dataclass(frozen=True)
class Pool:
    """Actors of a job: minimum and maximum number (None: as many as the cluster can hold), and resources of each.

    With `shards_at_once` above 1, an actor calls its job from that many threads, so that one shard is read or written
    while another is computed. The job does its own locking.
    """

    least: int = 1
    most: int | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    shards_at_once: int = 1


def network_pool(cluster: Cluster, *, shards_at_once: int = 1) -> Pool:
    """Actors that hold a network each, as the recipe's cluster has them."""
    least, most = cluster.label_actors
    gpus = 1.0 if cluster.use_gpu else 0.0
    return Pool(least, most, num_cpus=cluster.cpus_per_worker, num_gpus=gpus, shards_at_once=shards_at_once)


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
    skipped: float = 0,
    hours: Mapping[Shard, float] | None = None,
    pool: Pool = Pool(),
    on_shard: Callable[[float], None] | None = None,
    watch: Watch = lambda step: None,
) -> list[Reject]:
    """Publish all `shards`; returns the shards that could not be made, each with its reason.

    `make_job` is called once in every actor and builds what is expensive, such as a network. `skipped` shards count
    as done in the progress line. With the `hours` of audio of each shard, that line counts hours, and so does
    `skipped`. `on_shard` gets the actor's seconds for every finished shard, and `watch` how far the job is. Call it
    inside `ssl_asr.runtime.cluster.joined`.
    """
    _hush_ray_data()
    size: Callable[[Shard], float] = (lambda shard: 1) if hours is None else hours.__getitem__
    progress = Progress(what, sum(map(size, shards)) + skipped, SHARDS if hours is None else HOURS)
    progress.skip(skipped)
    watch(progress.step)
    remaining, failed, interruptions = dict.fromkeys(shards), list[Reject](), _Interruptions(what)
    while remaining:
        before = len(remaining)
        try:
            for row in _rows(list(remaining), make_job, pool):
                shard = Shard(row["split"], row["number"])
                remaining.pop(shard, None)
                if row["error"]:
                    failed.append(Reject(shard.name, row["error"]))
                if on_shard is not None:
                    on_shard(row["seconds"] / pool.shards_at_once)
                progress.advance(size(shard))
                watch(progress.step)
        except Exception as error:
            interruptions.go_on(error, made=before - len(remaining), left=len(remaining))
            first = next(iter(remaining), None)
            if first is not None:
                remaining[first] = remaining.pop(first)  # it may have caused the error, so it goes to the end
    return sorted(failed, key=lambda reject: reject.id)


class _Interruptions:
    """Ray Data gives up a whole dataset when a node or an actor dies at a bad moment.

    The ledger, not the dataset, says which shards are done, so a new dataset takes the rest. The job ends after a
    refusal, without progress, or after repeated errors of the job itself.
    """

    def __init__(self, what: str) -> None:
        self._what, self._without_progress, self._bugs = what, 0, 0

    def go_on(self, error: Exception, *, made: int, left: int) -> None:
        """After `error`, before which so many shards were `made`; raises it where the job ends."""
        from ray.data.exceptions import UserCodeException

        self._without_progress = 0 if made else self._without_progress + 1
        self._bugs += isinstance(error, UserCodeException)
        if sentence_of(error) is not None or MAX_ATTEMPTS in (self._without_progress, self._bugs):
            raise error
        logger.warning("%s: Ray Data stopped (%s); continuing with %d shards", self._what, _last_line(error), left)


def _rows(shards: Sequence[Shard], make_job: Callable[[], ShardJob], pool: Pool) -> Iterator[dict[str, Any]]:
    """A row for each finished shard, with the sentence of its failure or an empty string."""
    import ray.data

    _let_pools_grow()
    rows = [{"split": shard.split, "number": shard.number} for shard in shards]
    dataset = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS)).map(
        _Actor,
        fn_constructor_args=(make_job,),
        compute=ray.data.ActorPoolStrategy(
            min_size=min(pool.least, len(rows)),
            max_size=pool.most,
            # So no shard waits at one actor while another is idle.
            max_tasks_in_flight_per_actor=pool.shards_at_once,
            max_concurrent_calls_per_actor=pool.shards_at_once,
            enable_true_multi_threading=pool.shards_at_once > 1,
        ),
        num_cpus=pool.num_cpus,
        num_gpus=pool.num_gpus or None,
    )
    yield from dataset.iter_rows()


def _let_pools_grow() -> None:
    """By default Ray grows a pool from 1.75 tasks a thread on, and here a thread never has more than one."""
    import ray.data

    config = ray.data.DataContext.get_current().autoscaling_config
    config.actor_pool_util_upscaling_threshold = BUSY_SHARE


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _hush_ray_data() -> None:
    """Keeps Ray Data's messages off the terminal, which shows our own progress line; its log files have them."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)
