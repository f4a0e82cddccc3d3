"""The labelling stage: a teacher writes the targets of all unlabeled features, shard for shard, on Ray Data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ssl_asr.cluster import joined
from ssl_asr.labelling.shard_job import LabelJob, load_teacher, target_parents
from ssl_asr.recipe import Recipe
from ssl_asr.shard_jobs import run_shard_jobs
from ssl_asr.stage import StageClock, StageReport, check_reject_share
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.model_files import model_id, model_uri

STAGE = "labelling"
SPLIT = "unlabeled"


def run_labelling(recipe: Recipe) -> StageReport:
    """Targets of every unlabeled shard; those whose features, teacher and recipe are unchanged are left alone.

    However often it is killed, and with however many actors it goes on, the store ends up the same to the byte.
    """
    sources = {entry.shard: entry for entry in ShardStore(recipe.run, features.STORE).entries(SPLIT)}
    if not sources:
        raise ValueError(f"{recipe.run} has no unlabeled features yet; run the frontend stage first")
    teacher_uri = model_uri(recipe.run, "teacher")
    if not filesystem.exists(teacher_uri):
        raise ValueError(f"{teacher_uri} is missing; run the teacher stage first")
    load_teacher(recipe)  # refused here, in one sentence, rather than in every actor
    teacher_id = model_id(teacher_uri)
    clock = StageClock(recipe, STAGE, f"{teacher_id}-{recipe.key('labelling')}")
    store = ShardStore(recipe.run, targets.store_name(teacher_id))
    store.delete_temporary()
    todo = store.unfinished({shard: target_parents(recipe, source, teacher_id) for shard, source in sources.items()})
    failed = _label(recipe, teacher_id, todo, skipped=len(sources) - len(todo)) if todo else []
    return _finish(recipe, clock, store, sources, failed, len(sources) - len(todo))


def _label(recipe: Recipe, teacher_id: str, todo: Sequence[Shard], skipped: int) -> list[Reject]:
    with joined():
        return run_shard_jobs(
            STAGE,
            todo,
            partial(LabelJob, recipe, teacher_id),
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
