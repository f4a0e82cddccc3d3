"""The training stages: the teacher, the student, the baseline without unlabeled audio, the topline with its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_parameters
from ssl_asr.models.model_files import made_from
from ssl_asr.models.systems import (
    BASELINES,
    STUDENT,
    TEACHER,
    TOPLINE,
    ModelName,
    settings_of,
    smbr_name,
    stage_of,
    trained,
)
from ssl_asr.recipe import Cluster, ObjectiveSection, Recipe, Student, Teacher
from ssl_asr.recipe.identity import Inputs, inputs_key
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.runtime.stage_report import StageReport, read_rejects
from ssl_asr.runtime.todo import LANGUAGE_TEXT, SENONE_SET, Todo, reasons, upstream, waiting
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, TARGETS, model_uri
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.curve import CurveWriter, read_curve
from ssl_asr.training.data.examples import SlabReader
from ssl_asr.training.data.run_sources import labelled_source, source_of_run, true_source
from ssl_asr.training.data.selection import selection_of
from ssl_asr.training.data.sources import Source
from ssl_asr.training.data.versions import OneVersion
from ssl_asr.training.inputs import model_inputs
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.model_schedules import schedule_of
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.schedule import LABELED, UNLABELED, Phase
from ssl_asr.training.sequence.inputs import smbr_inputs
from ssl_asr.training.sequence.stage import is_sequence_trained, sequence_figures, train_sequence

# Products of the stages before that a model is trained on.
LABELED_STORES = (f"{FEATURES}/labeled", f"{ALIGNMENTS}/labeled", SENONE_SET)
UNLABELED_STORES = (f"{FEATURES}/unlabeled",)


@dataclass(frozen=True)
class TrainingPlan:
    """What a stage trains: on which sources, by which schedule; `target_set` names the soft targets, if any.

    `senones` are the outputs, and say which alignments are the labels.
    """

    name: ModelName
    senones: SenoneSet
    inputs: Inputs
    settings: Teacher | Student
    schedule: Sequence[Phase]
    sources: Sequence[Source]
    objectives: Mapping[str, ObjectiveSection]
    target_set: str | None = None

    @property
    def key(self) -> str:
        return inputs_key(self.inputs)

    @property
    def slabs(self) -> int:
        return sum(phase.count for phase in self.schedule)

    @property
    def sequence_slabs(self) -> int:
        """Of the sequence training that follows; 0 where none does."""
        return self.settings.sequence.epochs * len(self.sources[0])


def run_teacher(recipe: Recipe) -> StageReport:
    """Train the teacher on the labeled data."""
    return _train(recipe, teacher_plan(recipe, TEACHER, load_senones(recipe.run)))


def teacher_plan(recipe: Recipe, name: ModelName, senones: SenoneSet) -> TrainingPlan:
    """How the teacher, or a network like it, is trained on the alignments that `senones` names."""
    return _plan(recipe, name, {LABELED: recipe.teacher.objective}, senones=senones)


def run_student(recipe: Recipe) -> StageReport:
    """Train the student on unlabeled audio with the teacher's targets, and on the labeled data."""
    settings = recipe.student
    target_set, unlabeled = labelled_source(recipe, source_of_run(recipe, "unlabeled", settings.versions))
    objectives = {LABELED: settings.labeled_objective, UNLABELED: settings.unlabeled_objective}
    return _train(recipe, replace(_plan(recipe, STUDENT, objectives, unlabeled), target_set=target_set))


def run_baseline(recipe: Recipe) -> StageReport:
    """Train the student's network with its schedule, rates and frames on the labeled data alone.

    With `student.shorter_baseline` a second one is trained on fewer frames.
    """
    names = [name for name in BASELINES if name in trained(recipe)]
    return _train(recipe, *(_plan(recipe, name, {LABELED: recipe.student.labeled_objective}) for name in names))


def run_topline(recipe: Recipe) -> StageReport:
    """Train the student's network with its schedule, rates and frames on the true labels of all audio.

    Without `evaluate.topline` there is none.
    """
    if not recipe.evaluate.topline:
        return StageClock(recipe, TOPLINE, "off").finish(0, 0, figures={"off": "evaluate.topline asks for none"})
    unlabeled = true_source(recipe, source_of_run(recipe, "unlabeled", recipe.student.versions))
    return _train(recipe, _plan(recipe, TOPLINE, {LABELED: recipe.student.labeled_objective}, unlabeled))


def _plan(
    recipe: Recipe,
    name: ModelName,
    objectives: Mapping[str, ObjectiveSection],
    trained_on: Source | None = None,
    senones: SenoneSet | None = None,
) -> TrainingPlan:
    """Of a model that is trained on labeled speech, and on the unlabeled speech `trained_on`, if any.

    `senones` is the run's unless given.
    """
    settings, senones = settings_of(recipe, name), senones or load_senones(recipe.run)
    labeled = source_of_run(recipe, "labeled", settings.versions, senones=senones)
    # The baseline's length follows from the unlabeled speech too.
    unlabeled = trained_on
    if unlabeled is None:
        unlabeled = source_of_run(recipe, "unlabeled", settings.versions, required=name in BASELINES)
    schedule = schedule_of(recipe, name, labeled, unlabeled)
    sources = [labeled] if trained_on is None else [labeled, trained_on]
    inputs = model_inputs(recipe, name, senones)
    return TrainingPlan(name, senones, inputs, settings, schedule, sources, objectives)


def _train(recipe: Recipe, *plans: TrainingPlan) -> StageReport:
    """Train the models of one stage, but for those that are trained; the first gives the stage its figures."""
    stage = stage_of(plans[0].name)
    refuse_second(recipe, stage)
    keys: dict[str, str] = {plan.name: plan.key for plan in plans}
    clock = StageClock(recipe, stage, plans[0].key if len(plans) == 1 else inputs_key(keys))
    left = [plan for plan in plans if not is_trained(recipe, plan)]
    sequence = [plan for plan in plans if plan.sequence_slabs and not _is_sequence_trained(recipe, plan)]
    rejects = [] if left or sequence else read_rejects(recipe, stage)
    if left or sequence:
        clock.claim()
        with cluster.joined():
            for plan in left:
                train(recipe, plan)
            for plan in sequence:
                rejects += train_sequence(recipe, _job(recipe, plan), partial(_fit, workers=recipe.cluster))
    slabs = sum(plan.slabs + plan.sequence_slabs for plan in plans)
    made = sum(plan.slabs for plan in left) + sum(plan.sequence_slabs for plan in sequence)
    figures = _figures(recipe, plans[0])
    for plan in plans[1:]:
        figures |= {f"{plan.name}_{name}": value for name, value in _figures(recipe, plan).items()}
    return clock.finish(slabs, slabs - made, rejects, figures)


def train(recipe: Recipe, plan: TrainingPlan) -> None:
    """Train the model by frames, from its last checkpoint if there is one; call it inside `cluster.joined`."""
    _fit(_job(recipe, plan), recipe.cluster)


def _fit(job: TrainingJob, workers: Cluster) -> None:
    write_schedule(job.run, job.name, job.key, job.schedule, {source.name: len(source) for source in job.sources})
    fit(job, workers)


def fit(job: TrainingJob, workers: Cluster) -> CurveWriter:
    """Train on Ray Train, which is imported here: a dry run does without."""
    from ssl_asr.training.elastic.fit import fit as fit_on_ray

    return fit_on_ray(job, workers)


def _job(recipe: Recipe, plan: TrainingPlan) -> TrainingJob:
    mean, deviation = global_statistics(recipe.run)
    dev = source_of_run(recipe, "dev", required=False, senones=plan.senones)
    return TrainingJob(
        run=recipe.run,
        name=plan.name,
        inputs=dict(plan.inputs),
        spec=_spec(recipe, plan),
        optimiser=plan.settings.optimiser,
        batching=plan.settings.batching,
        augmentation=plan.settings.augmentation,
        sync=plan.settings.sync,
        seed=recipe.seed,
        schedule=tuple(plan.schedule),
        sources=tuple(plan.sources),
        objectives=plan.objectives,
        dev=dev if len(dev) else None,
        dev_objective=LABELED,
        reader=_reader(recipe, plan),
        mean=mean,
        deviation=deviation,
        about={"senone_set": plan.senones.id},
    )


def _figures(recipe: Recipe, plan: TrainingPlan) -> dict[str, float | str]:
    """Of the training by cross-entropy, and of what followed it."""
    figures = _curve_figures(recipe, plan)
    return figures | sequence_figures(recipe, plan.name) if plan.sequence_slabs else figures


def _curve_figures(recipe: Recipe, plan: TrainingPlan) -> dict[str, float | str]:
    curve = read_curve(recipe.run, plan.name)
    blocks = [record for record in curve if "loss" in record]
    on_dev = [record for record in curve if "dev_loss" in record]
    hours = sum(record["frames"] for record in blocks) * FRAME_SECONDS / 3600
    seconds = sum(record["seconds"] for record in blocks)
    figures: dict[str, float | str] = {
        "parameters": f"{_parameters(recipe, plan) / 1e6:.2f} M",
        "blocks": str(len(blocks)),
        "hours": hours,
        "x_real_time": hours * 3600 / max(seconds, 1e-3),
    }
    if on_dev:
        figures["dev_loss"] = on_dev[-1]["dev_loss"]
        if "dev_frame_accuracy" in on_dev[-1]:
            figures["dev_accuracy"] = on_dev[-1]["dev_frame_accuracy"]
    return figures


def _parameters(recipe: Recipe, plan: TrainingPlan) -> int:
    with torch.device("meta"):  # shapes without memory
        return count_parameters(AcousticModel(_spec(recipe, plan)))


def todo_teacher(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    return _todo(recipe, "teacher", before, *LABELED_STORES)


def todo_baseline(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    names = [name for name in BASELINES if name in trained(recipe)]
    return [todo for name in names for todo in _todo(recipe, name, before, *LABELED_STORES, *UNLABELED_STORES)]


def todo_student(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    return _todo(recipe, "student", before, *LABELED_STORES, *UNLABELED_STORES, f"{TARGETS}/unlabeled")


def todo_topline(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    if not recipe.evaluate.topline:
        return []
    return _todo(recipe, "topline", before, *LABELED_STORES, *UNLABELED_STORES, f"{ALIGNMENTS}/unlabeled")


def _todo(recipe: Recipe, name: ModelName, before: Sequence[Todo], *needed: str) -> list[Todo]:
    """The model by cross-entropy, and the one that sequence training makes of it."""
    found = [waiting(name, causes)] if (causes := upstream(before, *needed)) else _todo_model(recipe, name)
    if not settings_of(recipe, name).sequence.epochs:
        return found
    if causes := [*found, *upstream(before, LANGUAGE_TEXT)]:
        return [*found, waiting(smbr_name(name), causes)]
    why = reasons(made_from(model_uri(recipe.run, smbr_name(name))), smbr_inputs(recipe, name))
    return [Todo(smbr_name(name), why)] if why else []


def _todo_model(recipe: Recipe, name: ModelName) -> list[Todo]:
    why = reasons(made_from(model_uri(recipe.run, name)), model_inputs(recipe, name))
    return [Todo(name, why)] if why else []


def is_trained(recipe: Recipe, plan: TrainingPlan) -> bool:
    return made_from(model_uri(recipe.run, plan.name)) == plan.inputs


def _is_sequence_trained(recipe: Recipe, plan: TrainingPlan) -> bool:
    return is_trained(recipe, plan) and is_sequence_trained(recipe, plan.name)


def _spec(recipe: Recipe, plan: TrainingPlan) -> ModelSpec:
    return ModelSpec(plan.settings.network, recipe.frontend.mel_bins * STACK, plan.senones.size)


def _reader(recipe: Recipe, plan: TrainingPlan) -> SlabReader:
    selection = None if plan.target_set is None else selection_of(recipe, plan.target_set)
    with_text = any(build_objective(section).needs_text for section in plan.objectives.values())
    return SlabReader(
        run=recipe.run,
        mel_bins=recipe.frontend.mel_bins,
        alignment_set=plan.senones.alignment_set,
        target_set=plan.target_set,
        selection=selection,
        one_version=OneVersion(recipe.seed) if plan.settings.versions == "one" else None,
        with_text=with_text,
        true_labels=plan.name == TOPLINE,
    )
