"""The frontend stage: `manifest/` to `features/`, shard for shard, on Ray Data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

from ssl_asr.frontend.parents import STATISTICS, FeatureParents
from ssl_asr.frontend.prior import Prior, made_with, measure_prior, prior_inputs, read_prior
from ssl_asr.frontend.refused import mended_shards
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key, non_defaults
from ssl_asr.runtime.cluster import as_task, joined
from ssl_asr.runtime.job_runner import run_shard_jobs
from ssl_asr.runtime.shard_maker import SourceShard
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_shares
from ssl_asr.runtime.todo import Todo
from ssl_asr.store import features, utterance
from ssl_asr.store.layout import FEATURES, MANIFEST
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

STAGE = "frontend"


def run_frontend(recipe: Recipe) -> StageReport:
    """Features of every manifest shard; shards with unchanged manifest, recipe and prior are kept.

    Of these, shards with rejects are made again once audio that was rejected is there, or is another.
    """
    clock = StageClock(recipe, STAGE, inputs_key(non_defaults(recipe, "features")))
    prior = prior_of_today(recipe)
    if prior is not None and not (stage := shard_stage(recipe, prior)).unfinished():
        return _finish(recipe, clock, stage, [], stage.size)
    with joined():
        prior = prior or _measure_prior(recipe)
        stage = shard_stage(recipe, prior)
        todo = stage.unfinished()
        skipped = stage.size - len(todo)
        mended = {Shard(split, number) for split in utterance.SPLITS for number in stage.mended(split)}
        job = partial(FeatureJob, recipe, prior, mended)
        failed = run_shard_jobs(STAGE, todo, job, skipped=skipped, on_shard=clock.work)
    return _finish(recipe, clock, stage, failed, skipped)


def todo_frontend(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    # Without a prior of today all features are made anew.
    return shard_stage(recipe, prior_of_today(recipe)).todo(STAGE, FEATURES, before, MANIFEST)


def shard_stage(recipe: Recipe, prior: Prior | None) -> ShardStage:
    of_shard = FeatureParents(recipe)

    def parents(source: SourceShard) -> Inputs:
        return {**of_shard(source), "prior": "" if prior is None else prior.id}

    source, store = ShardStore(recipe.run, utterance.STORE), ShardStore(recipe.run, features.STORE)
    mended = cache(partial(mended_shards, recipe.run))
    return ShardStage(recipe, source, store, utterance.SPLITS, parents, STATISTICS, mended=mended)


def prior_of_today(recipe: Recipe) -> Prior | None:
    """The prior in the run, if the front end still makes such features; None if it is to be measured.

    It stays as it is when labeled speech is added, corrected or dropped. Otherwise each such change would make all
    features anew, though a prior is no more than a value to start from.
    """
    return read_prior(recipe.run) if made_with(recipe.run) == prior_inputs(recipe) else None


def _measure_prior(recipe: Recipe) -> Prior:
    labeled = ShardStore(recipe.run, utterance.STORE).shards("labeled")
    if not labeled:
        raise ValueError(f"{recipe.run} has no manifest of labeled speech yet; run the corpus stage first")
    return as_task(measure_prior)(recipe, labeled)


def _finish(recipe: Recipe, clock: StageClock, stage: ShardStage, failed: list[Reject], skipped: int) -> StageReport:
    outcome = stage.tidy(failed)
    made = [stage.store.index(split) for split in utterance.SPLITS]
    hours = sum(float(index.column("seconds").sum()) for index in made) / 3600
    utterances = sum(int(index.column("rows").sum()) for index in made)
    figures = {"hours": round(hours, 3), "utterances": float(utterances)}
    report = clock.finish(stage.size, skipped, outcome.rejects, figures, rejected=outcome.rejected)
    check_reject_shares(recipe, STAGE, outcome.counts)
    return report
