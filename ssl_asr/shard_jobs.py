"""One job for every shard, placed by Ray Data: an elastic pool of actors, one row in, one finished shard out.

A row that Ray Data hands out is a shard's name, not its data. The job reads one store and publishes to another
by itself, so what a shard holds depends on the shard alone, whichever actor makes it, however often it is tried
and in whatever order. Ray Data sees to placing, growing and shrinking the pool, and retries after lost nodes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import ray
import ray.data

from ssl_asr.progress import Progress
from ssl_asr.store.ledger import Reject, Shard

# Rows beyond this share a block: the driver keeps a reference for every block.
MAX_BLOCKS = 4096


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
    rows = [{"split": shard.split, "number": shard.number} for shard in shards]
    finished = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS)).map(
        _Actor,
        fn_constructor_args=(make_job,),
        compute=ray.data.ActorPoolStrategy(min_size=min(pool[0], len(rows)), max_size=pool[1]),
        num_cpus=num_cpus,
        num_gpus=num_gpus or None,
    )
    failed = []
    for row in finished.iter_rows():
        if row["error"]:
            failed.append(Reject(Shard(row["split"], row["number"]).name, row["error"]))
        progress.advance()
    return sorted(failed, key=lambda reject: reject.id)


def _hush_ray_data() -> None:
    """Its plans and bars go to Ray's log files; the terminal belongs to our own progress line."""
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.ERROR)
