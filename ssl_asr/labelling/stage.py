"""The labelling stage: a teacher writes the targets of all unlabeled features, shard by shard, on Ray Data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ssl_asr.labelling.calibration_file import calibration_figures
from ssl_asr.labelling.shard_job import LabelJob, TargetParents
from ssl_asr.labelling.teachers import check_teacher, target_set_id
from ssl_asr.models.systems import stage_of, teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import network_pool, run_shard_jobs
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, read_report
from ssl_asr.runtime.todo import PRODUCTS, Todo, upstream, waiting
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.layout import FEATURES, TARGETS
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.ledger_index import LedgerIndex, refreshing
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

STAGE = "labelling"
SPLIT = "unlabeled"


@dataclass(frozen=True)
class LabellingWork:
    """What the stage found when it began: all unlabeled features, and the shards that it must label."""

    clock: StageClock
    stage: ShardStage
    todo: list[Shard]

    @property
    def skipped(self) -> int:
        return self.stage.size - len(self.todo)


def run_labelling(recipe: Recipe) -> StageReport:
    """Targets of every unlabeled shard; shards with unchanged features, teacher and recipe are kept.

    After any number of kills and with any number of actors, the store is the same, byte for byte.
    """
    work = find_work(recipe)
    failed = _label(recipe, work) if work.todo else []
    return _finish(recipe, work, failed)


def find_work(recipe: Recipe) -> LabellingWork:
    """Starts the stage; ValueError if its inputs are missing or do not fit the recipe."""
    if not len(ShardStore(recipe.run, features.STORE).index(SPLIT).numbers):
        raise ValueError(f"{recipe.run} has no unlabeled features yet; run the frontend stage first")
    for name in teachers_of(recipe):
        if not filesystem.exists(uri := model_uri(recipe.run, name)):
            raise ValueError(f"{uri} is missing; run the {stage_of(name)} stage first")
    check_teacher(recipe)  # refused here, in one sentence, rather than in every actor
    stage = shard_stage(recipe)
    return LabellingWork(StageClock(recipe, STAGE, target_set_id(recipe)), stage, stage.unfinished())


def todo_labelling(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    """All targets wait for a teacher that is to be trained; else those shards whose features have changed."""
    product = f"{TARGETS}/{SPLIT}"
    if causes := upstream(before, *PRODUCTS.intersection(teachers_of(recipe))):
        count = len(ShardStore(recipe.run, features.STORE).index(SPLIT).numbers)
        return [waiting(product, causes, count or None)]
    if missing := [name for name in teachers_of(recipe) if not filesystem.exists(model_uri(recipe.run, name))]:
        return [Todo(product, (f"{missing[0]}, which is not trained yet",), after=stage_of(missing[0]))]
    return shard_stage(recipe).todo(STAGE, TARGETS, before, FEATURES)


def shard_stage(recipe: Recipe) -> ShardStage:
    source = ShardStore(recipe.run, features.STORE)
    store = ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))
    report = read_report(recipe, STAGE)
    former = None if report is None else ShardStore(recipe.run, targets.store_name(report.key))
    return ShardStage(recipe, source, store, (SPLIT,), TargetParents(recipe), former=former)


def _label(recipe: Recipe, work: LabellingWork) -> list[Reject]:
    with joined(), refreshing(partial(work.stage.store.index, SPLIT)):
        return run_shard_jobs(
            STAGE,
            work.todo,
            partial(LabelJob, recipe),
            skipped=work.skipped,
            # One is read or published while the other uses the network.
            pool=network_pool(recipe.cluster, shards_at_once=2),
            on_shard=work.clock.work,
        )


def _finish(recipe: Recipe, work: LabellingWork, failed: list[Reject]) -> StageReport:
    outcome = work.stage.tidy(failed)  # of former attempts, and of actors killed while the others went on
    figures = _figures(work.stage.store.index(SPLIT)) | calibration_figures(recipe)
    report = work.clock.finish(work.stage.size, work.skipped, outcome.rejects, figures, rejected=outcome.rejected)
    check_reject_share(recipe, STAGE, outcome.lost, outcome.rows)
    return report


def _figures(targets_made: LedgerIndex) -> dict[str, float | str]:
    figures: dict[str, float | str] = {"hours": round(float(targets_made.column("seconds").sum()) / 3600, 3)}
    means = {name: targets_made.mean(name) for name in ("kept_mass", "entropy_nats", "bytes_per_frame")}
    return figures | means
