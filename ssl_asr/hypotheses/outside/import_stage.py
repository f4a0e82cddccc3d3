"""Brings another recogniser's words into the run's shards, on Ray Data; what is small is done in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NoReturn

from ssl_asr.corpus.small_work import placed
from ssl_asr.hypotheses.outside.exchange import Exchange, forget_exchange
from ssl_asr.hypotheses.outside.groups import ShardGroups
from ssl_asr.hypotheses.outside.shard_job import OutsideJob
from ssl_asr.hypotheses.outside.source import KEY, OutsideSource, missing, note_outside, outside_content
from ssl_asr.hypotheses.sets import SPLIT, HypothesisSet
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime import cluster
from ssl_asr.runtime.job_runner import ShardJob, run_shard_jobs
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.store import features
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

# Files and shards below these take less time than the start of actors.
SMALL_BYTES, SMALL_SHARDS = 16 << 20, 256


def import_words(
    recipe: Recipe,
    made: HypothesisSet,
    stage: ShardStage,
    todo: Sequence[Shard],
    *,
    what: str,
    on_shard: Callable[[float], None],
) -> list[Reject]:
    """Publish the shards `todo`; returns those that could not be made. `what` and `on_shard` as of `run_shard_jobs`.

    ValueError if a file is missing or broken, has an utterance twice, or has changed meanwhile, or if the files have
    words of other speech alone.
    """
    source, skipped = OutsideSource.of(recipe), stage.size - len(todo)
    if not source.files:
        raise missing(source)
    groups = ShardGroups.of(stage.sources[SPLIT])
    is_small = source.listed_bytes < SMALL_BYTES and stage.size < SMALL_SHARDS
    exchange = Exchange(recipe.run, SPLIT, source, groups, partial(placed, is_small=is_small))
    job = partial(OutsideJob, recipe, made, groups)
    with nullcontext() if is_small else cluster.joined():
        _join(recipe, made, exchange)
        exchange.group(todo)
        if is_small:
            return _one_by_one(what, todo, job(), skipped)
        return run_shard_jobs(what, todo, job, skipped=skipped, on_shard=on_shard)


def _join(recipe: Recipe, made: HypothesisSet, exchange: Exchange) -> None:
    source = exchange.source
    written, matched = exchange.join()
    if OutsideSource.of(recipe) != source or outside_content(recipe) != made.teacher:
        raise ValueError(f"{KEY}={source.name} has changed while it was read; give the same command again")
    if not matched and not exchange.has_unreadable_shards():
        _refuse_of_other_speech(made, exchange)
    note_outside(recipe.run, source, made.teacher, written)


def _refuse_of_other_speech(made: HypothesisSet, exchange: Exchange) -> NoReturn:
    """ValueError, and no words in the run."""
    known = ShardStore(exchange.run, features.STORE)
    ids = known.read(known.shards(SPLIT)[0], ["id"])["id"].to_pylist()
    other = exchange.first_utterance()
    made.store.delete()
    forget_exchange(exchange.run)
    raise ValueError(
        f"{KEY}={exchange.source.name} is of other utterances, such as {other}, than the unlabeled ones, such "
        f"as {ids[0]}; give words whose utterances are named as in corpus.unlabeled"
    )


def _one_by_one(what: str, shards: Sequence[Shard], job: ShardJob, skipped: int) -> list[Reject]:
    failed, progress = list[Reject](), Progress(what, len(shards) + skipped, "shards")
    progress.skip(skipped)
    for shard in shards:
        try:
            job(shard)
        except ValueError as error:
            failed.append(Reject(shard.name, str(error)))
        progress.advance()
    return failed
