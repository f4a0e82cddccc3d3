"""The labelling stage: a teacher writes the targets of all unlabeled features, shard for shard, on Ray Data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ssl_asr.cluster import joined
from ssl_asr.labelling.shard_job import LabelJob, target_parents
from ssl_asr.labelling.teachers import load_teacher, target_set_id, teacher_id
from ssl_asr.recipe import Recipe
from ssl_asr.shard_jobs import run_shard_jobs
from ssl_asr.stage import StageClock, StageReport, check_reject_share
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.model_files import model_uri

STAGE = "labelling"
SPLIT = "unlabeled"


def run_labelling(recipe: Recipe) -> StageReport:
    """Targets of every unlabeled shard; those whose features, teacher and recipe are unchanged are left alone.

    However often it is killed, and with however many actors it goes on, the store ends up the same to the byte.
    """
    sources = {entry.shard: entry for entry in ShardStore(recipe.run, features.STORE).entries(SPLIT)}
    if not sources:
        raise ValueError(f"{recipe.run} has no unlabeled features yet; run the frontend stage first")
    for name in recipe.labelling.teachers:
        if not filesystem.exists(uri := model_uri(recipe.run, name)):
            raise ValueError(f"{uri} is missing; run the {name} stage first")
    load_teacher(recipe)  # refused here, in one sentence, rather than in every actor
    teacher, set_id = teacher_id(recipe), target_set_id(recipe)
    clock = StageClock(recipe, STAGE, set_id)
    store = ShardStore(recipe.run, targets.store_name(set_id))
    store.delete_temporary()
    wanted = {shard: target_parents(recipe, source.checksum, teacher) for shard, source in sources.items()}
    todo = store.unfinished(wanted)
    failed = _label(recipe, todo, skipped=len(sources) - len(todo)) if todo else []
    return _finish(recipe, clock, store, sources, failed, len(sources) - len(todo))


def _label(recipe: Recipe, todo: Sequence[Shard], skipped: int) -> list[Reject]:
    with joined():
        return run_shard_jobs(
            STAGE,
            todo,
            partial(LabelJob, recipe),
            skipped=skipped,
            pool=recipe.cluster.label_actors,
            num_cpus=recipe.cluster.cpus_per_worker,
            num_gpus=1.0 if recipe.cluster.use_gpu else 0.0,
        )


def _finish(
    recipe: Recipe,
    clock: StageClock,
    store: ShardStore,
    sources: Mapping[Shard, LedgerEntry],
    failed: list[Reject],
    skipped: int,
) -> StageReport:
    unmade = {reject.id for reject in failed}
    store.keep_only(SPLIT, [shard for shard in sources if shard.name not in unmade])
    entries = store.entries(SPLIT)
    report = clock.finish(len(sources), skipped, failed, _figures(entries))
    lost = sum(source.rows for shard, source in sources.items() if shard.name in unmade)
    check_reject_share(recipe, STAGE, lost, sum(source.rows for source in sources.values()))
    return report


def _figures(entries: Sequence[LedgerEntry]) -> dict[str, float | str]:
    frames = max(sum(entry.frames for entry in entries), 1)
    means = {
        name: sum(entry.statistics[name] * entry.frames for entry in entries) / frames
        for name in ("kept_mass", "entropy_nats", "bytes_per_frame")
    }
    return {"hours": round(sum(entry.seconds for entry in entries) / 3600, 3)} | means
