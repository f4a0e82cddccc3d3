"""An extractor of a run: trained from its features on Ray Train, kept with the key of what it was made from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from ssl_asr.recipe import Recipe, Sync
from ssl_asr.recipe.identity import digest
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.speakers.job import ExtractorJob, check_pool
from ssl_asr.speakers.kept import TOLD, Extracted, extractor_key
from ssl_asr.speakers.pool import PoolSettings, read_pool
from ssl_asr.speakers.settings import TrainingSettings
from ssl_asr.store import features
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speakers_layout import extractor_uri
from ssl_asr.store.weights import read_description
from ssl_asr.training.stage import fit_job

VERSION = "3"  # raise where equal settings and features give another extractor
_BLOCK_STEPS = 50  # of each worker, between checkpoints


@dataclass(frozen=True)
class Workers:
    """`most` train at once, or as many as the cluster has room for. `strategy` is as of the recipe's `sync`.

    One by default, which with `dense` takes each step by one batch. More would take a step by a batch of each, or
    average their networks: another training, and results are of this one.
    """

    most: int = 1
    strategy: Literal["dense", "bmuf", "gtc"] = "dense"


def train_extractor(
    recipe: Recipe, name: str, pooled: PoolSettings, settings: TrainingSettings, workers: Workers | None = None
) -> Extracted:
    """Train the run's extractor of this name, from its checkpoint if there is one; one that is up to date is kept.

    ValueError in one sentence where the run's speech can't be trained on so, or another process is at it.
    """
    job = _job(recipe, name, pooled, settings, workers := workers or Workers())
    found = _trained(job)
    if found is not None:
        return replace(found, kept=True)
    _check_speech(job)  # before Ray starts
    # On CPUs: for so small a network a GPU is no faster, and rounds otherwise.
    placed = recipe.cluster.model_copy(update={"train_workers": (1, workers.most), "use_gpu": False})
    refuse_second(recipe, job.name)
    clock = StageClock(recipe, job.name, job.key)
    clock.claim()
    with cluster.joined():
        fit_job(job, placed)
    found = _trained(job)
    assert found is not None, "the first worker has written it"
    clock.finish(settings.steps, 0, figures={"loss": found.loss})
    return found


def _trained(job: ExtractorJob) -> Extracted | None:
    """What is told of the extractor that is there; None where it is of something else."""
    if extractor_key(job.run, job.extractor) != job.key:
        return None
    return Extracted(**read_description(extractor_uri(job.run, job.extractor))[TOLD])


def _job(
    recipe: Recipe, name: str, pooled: PoolSettings, settings: TrainingSettings, workers: Workers
) -> ExtractorJob:
    return ExtractorJob(
        recipe=recipe,
        extractor=name,
        pooled=pooled,
        settings=settings,
        sync=Sync(strategy=workers.strategy, block_slabs=_BLOCK_STEPS),
        inputs=_inputs(recipe, pooled, settings, workers),
    )


def _inputs(recipe: Recipe, pooled: PoolSettings, settings: TrainingSettings, workers: Workers) -> dict[str, str]:
    """How many workers are asked for counts, not how many there were at a time: more take fewer steps."""
    store = ShardStore(recipe.run, features.STORE)
    made_from = {"version": VERSION, "pool": json.dumps(asdict(pooled)), "settings": json.dumps(asdict(settings))}
    if workers.strategy != "dense":
        made_from["strategy"] = workers.strategy
    if workers.most != 1:
        made_from["workers"] = str(workers.most)
    for split in pooled.splits:
        made_from[split] = digest([str(each) for each in store.index(split).column("checksum")])
    return made_from


def _check_speech(job: ExtractorJob) -> None:
    pool = read_pool(job.recipe, job.pooled)
    tag, splits = job.pooled.group_tag, job.pooled.splits
    if tag is not None and not pool.groups and job.settings.reweighting == "groups":
        raise ValueError(f"no utterance of {' and '.join(splits)} speech has the tag '{tag}'")
    check_pool(pool, job.settings)
