"""How each acoustic model is trained: its sources, schedule and objectives, and the job that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_parameters
from ssl_asr.models.systems import BASELINES, STUDENT, TOPLINE, ModelName, settings_of, trained
from ssl_asr.recipe import (
    AdversarialCrossEntropySection,
    CrossEntropySection,
    ObjectiveSection,
    Recipe,
    Student,
    Teacher,
)
from ssl_asr.training.data.groups import check_groups
from ssl_asr.training.data.run_sources import labelled_source, source_of_run, true_source
from ssl_asr.training.data.selection import selection_of
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.data.sources import Source
from ssl_asr.training.inputs import model_inputs
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.model_schedules import schedule_of
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.plan import TrainingPlan, planned_job, version_of_pass
from ssl_asr.training.schedule import LABELED, UNLABELED

DEV = "dev"  # an objective of its own, where labels have an adversary


@dataclass(frozen=True, kw_only=True)
class AcousticPlan(TrainingPlan):
    """`senones` are the outputs, and say which alignments are the labels.

    `target_set` names the soft targets, if any.
    """

    name: ModelName
    settings: Teacher | Student
    senones: SenoneSet
    objectives: Mapping[str, ObjectiveSection]
    target_set: str | None = None

    @property
    def sequence_slabs(self) -> int:
        """Of the sequence training that follows; 0 where none does."""
        return self.settings.sequence.epochs * len(self.sources[0])


def teacher_plan(recipe: Recipe, name: ModelName, senones: SenoneSet) -> AcousticPlan:
    """How the teacher, or a network like it, is trained on the alignments that `senones` names."""
    return _plan(recipe, name, {LABELED: recipe.teacher.objective}, senones=senones)


def student_plan(recipe: Recipe) -> AcousticPlan:
    """On the unlabeled audio with the teacher's targets, and on the labeled data."""
    settings = recipe.student
    target_set, unlabeled = labelled_source(recipe, source_of_run(recipe, "unlabeled", settings.versions))
    objectives = {LABELED: settings.labeled_objective, UNLABELED: settings.unlabeled_objective}
    return replace(_plan(recipe, STUDENT, objectives, unlabeled), target_set=target_set)


def baseline_plans(recipe: Recipe) -> list[AcousticPlan]:
    """The student's network with its schedule, rates and frames on the labeled data alone.

    With `student.shorter_baseline` there is a second one, on fewer frames.
    """
    names = [name for name in BASELINES if name in trained(recipe)]
    return [_plan(recipe, name, {LABELED: recipe.student.labeled_objective}) for name in names]


def topline_plan(recipe: Recipe) -> AcousticPlan:
    """The student's network with its schedule, rates and frames on the true labels of all audio."""
    unlabeled = true_source(recipe, source_of_run(recipe, "unlabeled", recipe.student.versions))
    return _plan(recipe, TOPLINE, {LABELED: recipe.student.labeled_objective}, unlabeled)


def _plan(
    recipe: Recipe,
    name: ModelName,
    objectives: Mapping[str, ObjectiveSection],
    trained_on: Source | None = None,
    senones: SenoneSet | None = None,
) -> AcousticPlan:
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
    return AcousticPlan(
        name=name,
        inputs=model_inputs(recipe, name, senones),
        settings=settings,
        schedule=schedule,
        sources=sources,
        senones=senones,
        objectives=objectives,
    )


def job_of(recipe: Recipe, plan: AcousticPlan) -> TrainingJob:
    """All that the workers of a training need to know.

    ValueError where an adversary is to see groups, and the labeled speech is not of two.
    """
    labels = plan.objectives[LABELED]
    if isinstance(labels, AdversarialCrossEntropySection) and labels.groups:
        check_groups(recipe.run, labels.groups)
    objectives, judging = judged(plan.objectives)
    dev = source_of_run(recipe, "dev", required=False, senones=plan.senones)
    job = planned_job(
        recipe,
        plan,
        spec=_spec(recipe, plan),
        objectives=objectives,
        dev=dev,
        dev_objective=judging,
        reader=_reader(recipe, plan),
    )
    return replace(job, about={"senone_set": plan.senones.id})


def judged(objectives: Mapping[str, ObjectiveSection]) -> tuple[Mapping[str, ObjectiveSection], str]:
    """With what dev is judged by, and its name: the objective of labels, but no adversary has a part in it."""
    if isinstance(objectives[LABELED], AdversarialCrossEntropySection):
        return {**objectives, DEV: CrossEntropySection()}, DEV
    return objectives, LABELED


def parameters_of(recipe: Recipe, plan: AcousticPlan) -> int:
    """How many the network has."""
    with torch.device("meta"):  # shapes without memory
        return count_parameters(AcousticModel(_spec(recipe, plan)))


def _spec(recipe: Recipe, plan: AcousticPlan) -> ModelSpec:
    return ModelSpec(plan.settings.network, recipe.frontend.mel_bins * STACK, plan.senones.size)


def _reader(recipe: Recipe, plan: AcousticPlan) -> SlabReader:
    selection = None if plan.target_set is None else selection_of(recipe, plan.target_set)
    with_text = any(build_objective(section).needs_text for section in plan.objectives.values())
    return SlabReader(
        run=recipe.run,
        mel_bins=recipe.frontend.mel_bins,
        alignment_set=plan.senones.alignment_set,
        target_set=plan.target_set,
        selection=selection,
        one_version=version_of_pass(recipe, plan),
        with_text=with_text,
        true_labels=plan.name == TOPLINE,
    )
