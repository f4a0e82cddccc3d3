"""The labelling stage: a teacher writes the targets of all unlabeled features, shard for shard, on Ray Data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ssl_asr.labelling.calibration_file import calibration_figures
from ssl_asr.labelling.shard_job import LabelJob, target_parents
from ssl_asr.labelling.teachers import check_teacher, target_set_id, teacher_id
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.shard_jobs import Pool, run_shard_jobs
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.layout import model_uri
from ssl_asr.store.ledger import Reject, Shard, parents_digest
from ssl_asr.store.ledger_index import LedgerIndex, refreshing
from ssl_asr.store.shards import ShardStore

STAGE = "labelling"
SPLIT = "unlabeled"


@dataclass(frozen=True)
class Work:
    """What the stage found when it began: all unlabeled features, and which of their shards it is to label."""

    clock: StageClock
    store: ShardStore
    sources: LedgerIndex
    todo: list[Shard]

    @property
    def skipped(self) -> int:
        return len(self.sources.numbers) - len(self.todo)


def run_labelling(recipe: Recipe) -> StageReport:
    """Targets of every unlabeled shard; those whose features, teacher and recipe are unchanged are left alone.

    However often it is killed, and with however many actors it goes on, the store ends up the same to the byte.
    """
    work = find_work(recipe)
    failed = _label(recipe, work) if work.todo else []
    return _finish(recipe, work, failed)


def find_work(recipe: Recipe) -> Work:
    """Starts the stage; ValueError where what it needs is missing or does not fit the recipe."""
    sources = ShardStore(recipe.run, features.STORE).index(SPLIT)
    if not len(sources.numbers):
        raise ValueError(f"{recipe.run} has no unlabeled features yet; run the frontend stage first")
    for name in recipe.labelling.teachers:
        if not filesystem.exists(uri := model_uri(recipe.run, name)):
            raise ValueError(f"{uri} is missing; run the {name} stage first")
    check_teacher(recipe)  # refused here, in one sentence, rather than in every actor
    set_id = target_set_id(recipe)
    clock = StageClock(recipe, STAGE, set_id)
    store = ShardStore(recipe.run, targets.store_name(set_id))
    done = store.done(SPLIT, sources.numbers, _wanted_parents(recipe, sources))
    todo = [Shard(SPLIT, number) for number in sources.numbers[~done].tolist()]
    return Work(clock, store, sources, todo)


def _wanted_parents(recipe: Recipe, sources: LedgerIndex) -> npt.NDArray[np.uint64]:
    """[shards]: digests of what the targets of each are made from, which differ in the features alone."""
    parents = target_parents(recipe, "", teacher_id(recipe))
    checksums = sources.column("checksum")
    digests = (parents_digest({**parents, "features": each}) for each in checksums)
    return np.fromiter(digests, np.uint64, len(checksums))


def _label(recipe: Recipe, work: Work) -> list[Reject]:
    with joined(), refreshing(partial(work.store.index, SPLIT)):
        return run_shard_jobs(
            STAGE,
            work.todo,
            partial(LabelJob, recipe),
            skipped=work.skipped,
            pool=Pool(
                *recipe.cluster.label_actors,
                num_cpus=recipe.cluster.cpus_per_worker,
                num_gpus=1.0 if recipe.cluster.use_gpu else 0.0,
                shards_at_once=2,  # one is read or published while the other is with the network
            ),
            on_shard=work.clock.work,
        )


def _finish(recipe: Recipe, work: Work, failed: list[Reject]) -> StageReport:
    work.store.delete_temporary()  # of former attempts, and of actors killed while the others went on
    unmade, rows = {reject.id for reject in failed}, work.sources.column("rows")
    shards = [Shard(SPLIT, number) for number in work.sources.numbers.tolist()]
    made = np.array([shard.name not in unmade for shard in shards])
    work.store.keep_only(SPLIT, [shard for shard, is_made in zip(shards, made, strict=True) if is_made])
    figures = _figures(work.store.index(SPLIT)) | calibration_figures(recipe)
    report = work.clock.finish(len(shards), work.skipped, failed, figures)
    check_reject_share(recipe, STAGE, int(rows[~made].sum()), int(rows.sum()))
    return report


def _figures(targets_made: LedgerIndex) -> dict[str, float | str]:
    figures: dict[str, float | str] = {"hours": round(float(targets_made.column("seconds").sum()) / 3600, 3)}
    means = {name: targets_made.mean(name) for name in ("kept_mass", "entropy_nats", "bytes_per_frame")}
    return figures | means
