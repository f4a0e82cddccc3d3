"""The three training stages: the teacher, the student, and the baseline that never hears unlabeled audio."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr import cluster
from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_parameters
from ssl_asr.recipe import Optimiser, Recipe, Sync
from ssl_asr.stage import StageClock, StageReport
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.weights import read_weights
from ssl_asr.training.examples import SlabReader
from ssl_asr.training.fit import fit
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.model_files import model_id, model_uri
from ssl_asr.training.schedule import (
    Phase,
    Source,
    SourceName,
    baseline_schedule,
    source_of,
    student_schedule,
    teacher_schedule,
)

UPSTREAM = ("corpus", "frontend", "hmm")


def run_teacher(recipe: Recipe) -> StageReport:
    """Train the bidirectional teacher on the labeled data."""
    wanted = recipe.teacher
    labeled = _source(recipe, "labeled")
    spec = _spec(recipe, wanted.layers, wanted.units, wanted.optimiser.dropout, bidirectional=True, look_ahead=0)
    schedule = teacher_schedule(wanted, labeled)
    key = recipe.key(*UPSTREAM, "teacher")
    return _train(recipe, "teacher", key, spec, wanted.optimiser, wanted.sync, schedule, [labeled], None)


def run_student(recipe: Recipe) -> StageReport:
    """Train the student on unlabeled audio with the teacher's targets, and on the labeled data."""
    return _train_student(recipe, "student")


def run_baseline(recipe: Recipe) -> StageReport:
    """Train the student's network with its schedule, rates and updates on the labeled data alone."""
    return _train_student(recipe, "baseline")


def _train_student(recipe: Recipe, name: str) -> StageReport:
    wanted = recipe.student
    labeled, unlabeled = _source(recipe, "labeled"), _source(recipe, "unlabeled")
    spec = _spec(
        recipe,
        wanted.layers,
        wanted.units,
        wanted.optimiser.dropout,
        bidirectional=False,
        look_ahead=wanted.look_ahead,
    )
    schedule = student_schedule(wanted, labeled, unlabeled)
    sections = [*UPSTREAM, "student"]
    sources, teacher = [labeled], None
    if name == "student":
        teacher = _labelling_teacher(recipe, unlabeled)
        sections += ["teacher", "labelling"]
        sources.append(unlabeled)
    else:
        schedule = baseline_schedule(schedule, labeled, unlabeled)
    key = recipe.key(*sections)
    return _train(recipe, name, key, spec, wanted.optimiser, wanted.sync, schedule, sources, teacher)


def _train(
    recipe: Recipe,
    name: str,
    key: str,
    spec: ModelSpec,
    optimiser: Optimiser,
    sync: Sync,
    schedule: Sequence[Phase],
    sources: Sequence[Source],
    teacher: str | None,
) -> StageReport:
    clock = StageClock(recipe, name, key)
    slabs = sum(phase.count for phase in schedule)
    figures: dict[str, float | str] = {"parameters": f"{count_parameters(AcousticModel(spec)) / 1e6:.2f} M"}
    if _is_trained(recipe, name, key):
        return clock.finish(slabs, slabs, figures=figures)
    mean, deviation = global_statistics(recipe.run)
    dev = _source(recipe, "dev", required=False)
    job = TrainingJob(
        run=recipe.run,
        name=name,
        key=key,
        spec=spec,
        optimiser=optimiser,
        sync=sync,
        seed=recipe.seed,
        schedule=tuple(schedule),
        sources=tuple(sources),
        dev=dev if dev.slabs else None,
        reader=_reader(recipe, teacher),
        mean=mean,
        deviation=deviation,
    )
    with cluster.joined():
        curve = fit(job, recipe.cluster)
    blocks = [record for record in curve.records if "loss" in record]
    on_dev = [record for record in curve.records if "dev_loss" in record]
    hours = sum(record["frames"] for record in blocks) * FRAME_SECONDS / 3600
    figures |= {"blocks": str(len(blocks)), "hours": hours, "x real time": hours * 3600 / max(curve.seconds, 1e-3)}
    if on_dev:
        figures |= {"dev loss": on_dev[-1]["dev_loss"], "dev accuracy": on_dev[-1]["dev_frame_accuracy"]}
    return clock.finish(slabs, 0, figures=figures)


def _is_trained(recipe: Recipe, name: str, key: str) -> bool:
    uri = model_uri(recipe.run, name)
    return filesystem.exists(uri) and read_weights(uri)[1].get("key") == key


def _source(recipe: Recipe, split: str, required: bool = True) -> Source:
    name: SourceName = "unlabeled" if split == "unlabeled" else "labeled"
    source = source_of(name, ShardStore(recipe.run, features.STORE).entries(split), recipe.seed)
    if required and not source.slabs:
        raise ValueError(f"{recipe.run} has no features of {split} speech; run the stage 'frontend' first")
    return source


def _spec(
    recipe: Recipe, layers: int, units: int, dropout: float, *, bidirectional: bool, look_ahead: int
) -> ModelSpec:
    outputs = load_senones(recipe.run).size
    return ModelSpec(recipe.frontend.mel_bins * STACK, outputs, layers, units, bidirectional, look_ahead, dropout)


def _reader(recipe: Recipe, teacher: str | None) -> SlabReader:
    senone_set = load_senones(recipe.run).id
    return SlabReader(recipe.run, recipe.frontend.mel_bins, senone_set, teacher, recipe.labelling.k)


def _labelling_teacher(recipe: Recipe, unlabeled: Source) -> str:
    """Id of the run's teacher, whose targets must cover every unlabeled shard: teachers are never mixed."""
    uri = model_uri(recipe.run, "teacher")
    if not filesystem.exists(uri):
        raise ValueError(f"{recipe.run} has no teacher; run the stage 'teacher' first")
    teacher = model_id(uri)
    store = ShardStore(recipe.run, targets.store_name(teacher))
    labelled = {entry.shard for entry in store.entries("unlabeled")}
    missing = {slab.shard for slab in unlabeled.slabs} - labelled
    if missing:
        raise ValueError(
            f"{len(missing)} unlabeled shards, first {min(missing).name}, have no targets of teacher {teacher}; "
            "run the stage 'labelling' first"
        )
    return teacher
