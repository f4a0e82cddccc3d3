"""The three training stages: the teacher, the student, and the baseline that never hears unlabeled audio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_parameters
from ssl_asr.models.model_files import model_uri
from ssl_asr.models.systems import BASELINE, STUDENT, TEACHER
from ssl_asr.recipe import ObjectiveSection, Recipe, Student, Teacher
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage import StageClock, StageReport, read_rejects, read_report, refuse_second
from ssl_asr.store import alignments, features, filesystem, targets
from ssl_asr.store.ledger import Shard, checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.weights import read_weights
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.training.data.examples import SlabReader
from ssl_asr.training.data.selection import selection_of
from ssl_asr.training.data.sources import Source, SourceName, source_of
from ssl_asr.training.elastic.fit import fit
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.schedule import (
    LABELED,
    UNLABELED,
    Phase,
    baseline_schedule,
    student_schedule,
    teacher_schedule,
)

UPSTREAM = ("corpus", "frontend", "hmm")


@dataclass(frozen=True)
class TrainingPlan:
    """What a stage trains: on which sources, by which schedule; `target_set` names the soft targets, if any."""

    name: str
    key: str
    wanted: Teacher | Student
    schedule: Sequence[Phase]
    sources: Sequence[Source]
    objectives: Mapping[str, ObjectiveSection]
    target_set: str | None = None


def run_teacher(recipe: Recipe) -> StageReport:
    """Train the teacher on the labeled data."""
    wanted = recipe.teacher
    labeled = _source(recipe, "labeled")
    schedule = teacher_schedule(wanted, labeled)
    key = _key(recipe, [*UPSTREAM, "teacher"], schedule)
    return _train(recipe, TrainingPlan(TEACHER, key, wanted, schedule, [labeled], {LABELED: wanted.objective}))


def run_student(recipe: Recipe) -> StageReport:
    """Train the student on unlabeled audio with the teacher's targets, and on the labeled data."""
    wanted = recipe.student
    labeled = _source(recipe, "labeled")
    target_set, unlabeled = _labelled(recipe, _source(recipe, "unlabeled"))
    schedule = student_schedule(wanted, labeled, unlabeled)
    key = _key(recipe, [*UPSTREAM, "teacher", "labelling", "student"], schedule, target_set)
    objectives = {LABELED: wanted.labeled_objective, UNLABELED: wanted.unlabeled_objective}
    sources = [labeled, unlabeled]
    return _train(recipe, TrainingPlan(STUDENT, key, wanted, schedule, sources, objectives, target_set))


def run_baseline(recipe: Recipe) -> StageReport:
    """Train the student's network with its schedule, rates and frames on the labeled data alone."""
    wanted = recipe.student
    labeled, unlabeled = _source(recipe, "labeled"), _source(recipe, "unlabeled")
    schedule = student_schedule(wanted, labeled, unlabeled)
    schedule = baseline_schedule(schedule, labeled, unlabeled, wanted.selected_share)
    key = _key(recipe, [*UPSTREAM, "student"], schedule)
    objectives = {LABELED: wanted.labeled_objective}
    return _train(recipe, TrainingPlan(BASELINE, key, wanted, schedule, [labeled], objectives))


def _train(recipe: Recipe, plan: TrainingPlan) -> StageReport:
    refuse_second(recipe, plan.name)
    clock = StageClock(recipe, plan.name, plan.key)
    slabs = sum(phase.count for phase in plan.schedule)
    if _is_trained(recipe, plan):
        return clock.finish(slabs, slabs, figures=_figures(recipe, plan, read_curve(recipe.run, plan.name)))
    clock.claim()
    job = _job(recipe, plan)
    write_schedule(job.run, job.name, job.key, job.schedule, {source.name: len(source) for source in job.sources})
    with cluster.joined():
        curve = fit(job, recipe.cluster)
    return clock.finish(slabs, 0, figures=_figures(recipe, plan, curve.records))


def _job(recipe: Recipe, plan: TrainingPlan) -> TrainingJob:
    mean, deviation = global_statistics(recipe.run)
    dev = _source(recipe, "dev", required=False)
    return TrainingJob(
        run=recipe.run,
        name=plan.name,
        key=plan.key,
        spec=_spec(recipe, plan.wanted),
        optimiser=plan.wanted.optimiser,
        batching=plan.wanted.batching,
        augmentation=plan.wanted.augmentation,
        sync=plan.wanted.sync,
        seed=recipe.seed,
        schedule=tuple(plan.schedule),
        sources=tuple(plan.sources),
        objectives=plan.objectives,
        dev=dev if len(dev) else None,
        dev_objective=LABELED,
        reader=_reader(recipe, plan),
        mean=mean,
        deviation=deviation,
        about={"senone_set": load_senones(recipe.run).id},
    )


def _figures(recipe: Recipe, plan: TrainingPlan, curve: Sequence[Record]) -> dict[str, float | str]:
    blocks = [record for record in curve if "loss" in record]
    on_dev = [record for record in curve if "dev_loss" in record]
    hours = sum(record["frames"] for record in blocks) * FRAME_SECONDS / 3600
    seconds = sum(record["seconds"] for record in blocks)
    figures: dict[str, float | str] = {
        "parameters": f"{_parameters(recipe, plan.wanted) / 1e6:.2f} M",
        "blocks": str(len(blocks)),
        "hours": hours,
        "x real time": hours * 3600 / max(seconds, 1e-3),
    }
    if on_dev:
        figures["dev loss"] = on_dev[-1]["dev_loss"]
        if "dev_frame_accuracy" in on_dev[-1]:
            figures["dev accuracy"] = on_dev[-1]["dev_frame_accuracy"]
    return figures


def _parameters(recipe: Recipe, wanted: Teacher | Student) -> int:
    with torch.device("meta"):  # shapes without memory
        return count_parameters(AcousticModel(_spec(recipe, wanted)))


def _key(recipe: Recipe, sections: Sequence[str], schedule: Sequence[Phase], target_set: str | None = None) -> str:
    """Identity of a model: what the recipe asks for, its schedule and the very shards it is trained on."""
    stores = {"labeled": [features.STORE, alignments.store_name(load_senones(recipe.run).id)]}
    if target_set is not None:
        stores["unlabeled"] = [features.STORE, targets.store_name(target_set)]
    shards = [
        entry.checksum
        for split, names in stores.items()
        for name in names
        for entry in ShardStore(recipe.run, name).entries(split)
    ]
    return checksum(" ".join([recipe.key(*sections), *map(repr, schedule), *shards]).encode())


def _is_trained(recipe: Recipe, plan: TrainingPlan) -> bool:
    uri = model_uri(recipe.run, plan.name)
    return filesystem.exists(uri) and read_weights(uri)[1].get("key") == plan.key


def _source(recipe: Recipe, split: str, required: bool = True) -> Source:
    """The split's slabs; a labeled shard that could not be aligned, and is listed as rejected, is left out."""
    name: SourceName = "unlabeled" if split == "unlabeled" else "labeled"
    entries = ShardStore(recipe.run, features.STORE).entries(split)
    if name == "labeled":
        aligned = _finished(recipe, alignments.store_name(load_senones(recipe.run).id), split)
        entries = [entry for entry in entries if entry.shard in aligned]
    source = source_of(name, split, entries, recipe.seed)
    if required and not len(source):
        raise ValueError(
            f"{recipe.run} has no {split} speech to train on; run the stages 'frontend' and 'hmm', and see "
            "`ssl-asr failed` for what they rejected"
        )
    return source


def _finished(recipe: Recipe, store: str, split: str) -> set[Shard]:
    return {entry.shard for entry in ShardStore(recipe.run, store).entries(split)}


def _spec(recipe: Recipe, wanted: Teacher | Student) -> ModelSpec:
    return ModelSpec(wanted.network, recipe.frontend.mel_bins * STACK, load_senones(recipe.run).size)


def _reader(recipe: Recipe, plan: TrainingPlan) -> SlabReader:
    selection = None if plan.target_set is None else selection_of(recipe, plan.target_set)
    with_text = any(build_objective(section).needs_text for section in plan.objectives.values())
    senone_set = load_senones(recipe.run).id
    return SlabReader(recipe.run, recipe.frontend.mel_bins, senone_set, plan.target_set, selection, with_text)


def _labelled(recipe: Recipe, unlabeled: Source) -> tuple[str, Source]:
    """Id of the recipe's set of targets and the slabs that it covers; sets of targets are never mixed.

    ValueError where shards are missing that the labelling stage did not reject.
    """
    for name in recipe.labelling.teachers:
        if not filesystem.exists(model_uri(recipe.run, name)):
            raise ValueError(f"{recipe.run} has no {name}; run the stage '{name}' first")
    target_set = target_set_id(recipe)
    labelled = _finished(recipe, targets.store_name(target_set), "unlabeled")
    report = read_report(recipe, "labelling")
    mine = report is not None and report.key == target_set  # rejects are those of the set labelled last
    rejected = {reject.id for reject in read_rejects(recipe, "labelling")} if mine else set()
    missing = {shard for shard in unlabeled.shards if shard.name not in rejected} - labelled
    if missing or not labelled:
        raise ValueError(
            f"{len(missing)} unlabeled shards have no targets in {targets.store_name(target_set)}; "
            "run the stage 'labelling' first"
        )
    return target_set, unlabeled.only(labelled)
