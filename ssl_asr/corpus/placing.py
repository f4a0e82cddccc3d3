"""Has what a store lacks made: the steps of a split's listing are all of this kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

if TYPE_CHECKING:  # with Ray beside it
    from ssl_asr.runtime.job_runner import ShardJob


class Place(Protocol):
    """Has jobs done, as `run_shard_jobs` does; returns the shards that could not be made, with reasons.

    `hours` of audio are given where their number says how much work a shard is; `skipped` then counts hours too.
    """

    def __call__(
        self,
        what: str,
        shards: Sequence[Shard],
        make_job: Callable[[], ShardJob],
        *,
        skipped: float,
        hours: Mapping[Shard, float] | None = None,
    ) -> list[Reject]: ...


def make_all(
    place: Place,
    what: str,
    store: ShardStore,
    split: str,
    wanted: Mapping[Shard, Inputs],
    make_job: Callable[[], ShardJob],
    *,
    also: Collection[int] = (),
    keep: Collection[Shard] = (),
    hours: Mapping[Shard, float] | None = None,
) -> None:
    """All shards of `wanted` that are missing or have other parents, and those with the numbers `also`.

    Shards of `split` that are neither wanted nor in `keep` are deleted. ValueError where one can't be made.
    """
    store.delete_temporary()
    store.keep_only(split, {*wanted, *keep})
    unfinished = {*store.unfinished(wanted)}
    todo = [shard for shard in wanted if shard in unfinished or shard.number in also]
    if hours is None:
        failed = place(what, todo, make_job, skipped=len(wanted) - len(todo))
    else:
        left = {*todo}
        done = sum(hours[shard] for shard in wanted if shard not in left)
        failed = place(what, todo, make_job, skipped=done, hours=hours)
    if failed:
        raise ValueError(f"{failed[0].reason} ({len(failed)} of {len(wanted)} parts of {split} failed)")
