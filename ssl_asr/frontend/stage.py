"""The frontend stage: `manifest/` to `features/`, shard for shard, on Ray Data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import ray
from ray.exceptions import RayTaskError

from ssl_asr.frontend.prior import Prior, measure_prior, prior_parents, read_prior
from ssl_asr.frontend.shard_job import FeatureJob, feature_parents
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.shard_jobs import run_shard_jobs
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share
from ssl_asr.store import features, filesystem, utterance
from ssl_asr.store.layout import prior_uri
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore

STAGE = "frontend"


def run_frontend(recipe: Recipe) -> StageReport:
    """Features of every manifest shard; those whose manifest, recipe and prior are unchanged are left alone."""
    clock = StageClock(recipe, STAGE, recipe.key("corpus", "frontend"))
    sources = _manifest_entries(recipe)
    store = ShardStore(recipe.run, features.STORE)
    store.delete_temporary()
    prior = _prior_of_today(recipe, sources)
    if prior is not None and not _unfinished(recipe, sources, prior):
        return _finish(recipe, clock, sources, [], len(sources))
    with joined():
        prior = prior or _measure_prior(recipe, sources)
        todo = _unfinished(recipe, sources, prior)
        skipped = len(sources) - len(todo)
        job = partial(FeatureJob, recipe, prior)
        failed = run_shard_jobs(STAGE, todo, job, skipped=skipped, on_shard=clock.work)
    return _finish(recipe, clock, sources, failed, skipped)


def _manifest_entries(recipe: Recipe) -> dict[Shard, LedgerEntry]:
    manifest = ShardStore(recipe.run, utterance.STORE)
    entries = [entry for split in utterance.SPLITS for entry in manifest.entries(split)]
    if not entries:
        raise ValueError(f"{recipe.run} has no manifest yet; run the corpus stage first")
    return {entry.shard: entry for entry in entries}


def _labeled(sources: Mapping[Shard, LedgerEntry]) -> list[Shard]:
    labeled = sorted(shard for shard in sources if shard.split == "labeled")
    if not labeled:
        raise ValueError("the manifest has no labeled shard; give the recipe a corpus.labeled with usable speech")
    return labeled


def _prior_of_today(recipe: Recipe, sources: Mapping[Shard, LedgerEntry]) -> Prior | None:
    """The prior in the run, if it was made from today's recipe and first labeled shard."""
    parents = prior_parents(recipe, sources[_labeled(sources)[0]])
    if not filesystem.exists(prior_uri(recipe.run)):
        return None
    prior = read_prior(recipe.run)
    return prior if prior.parents == parents else None


def _measure_prior(recipe: Recipe, sources: Mapping[Shard, LedgerEntry]) -> Prior:
    """Measured on the cluster, where the audio is near; the driver may run on a small head node."""
    labeled = _labeled(sources)
    parents = prior_parents(recipe, sources[labeled[0]])
    try:
        return ray.get(ray.remote(measure_prior).options(num_cpus=1).remote(recipe, labeled, parents))
    except RayTaskError as error:
        raise error.cause from None


def _unfinished(recipe: Recipe, sources: Mapping[Shard, LedgerEntry], prior: Prior) -> list[Shard]:
    wanted = {shard: feature_parents(recipe, source, prior) for shard, source in sources.items()}
    return ShardStore(recipe.run, features.STORE).unfinished(wanted)


def _finish(
    recipe: Recipe, clock: StageClock, sources: Mapping[Shard, LedgerEntry], failed: list[Reject], skipped: int
) -> StageReport:
    store = ShardStore(recipe.run, features.STORE)
    unmade = {reject.id for reject in failed}
    made = {shard for shard in sources if shard.name not in unmade}
    for split in utterance.SPLITS:
        store.keep_only(split, made)
    entries = [entry for split in utterance.SPLITS for entry in store.entries(split)]
    rejects = failed + [reject for entry in entries for reject in entry.rejects]
    hours = sum(entry.seconds for entry in entries) / 3600
    figures = {"hours": round(hours, 3), "utterances": float(sum(entry.rows for entry in entries))}
    report = clock.finish(len(sources), skipped, rejects, figures)
    lost = sum(len(entry.rejects) for entry in entries)
    lost += sum(source.rows for shard, source in sources.items() if shard.name in unmade)
    check_reject_share(recipe, STAGE, lost, sum(source.rows for source in sources.values()))
    return report
