"""The training stages: the teacher, the student, the baseline without unlabeled audio, the topline with its texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.model_files import made_from
from ssl_asr.models.systems import BASELINES, TEACHER, TOPLINE, ModelName, settings_of, smbr_name, stage_of, trained
from ssl_asr.recipe import Cluster, Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.runtime.stage_report import StageReport, read_rejects
from ssl_asr.runtime.todo import LANGUAGE_TEXT, SENONE_SET, Todo, reasons, upstream, waiting
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, TARGETS
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.acoustic_plan import (
    AcousticPlan,
    baseline_plans,
    job_of,
    parameters_of,
    student_plan,
    teacher_plan,
    topline_plan,
)
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.curve import CurveWriter
from ssl_asr.training.curve_figures import curve_figures
from ssl_asr.training.inputs import model_inputs
from ssl_asr.training.plan import is_trained
from ssl_asr.training.sequence.inputs import smbr_inputs
from ssl_asr.training.sequence.stage import is_sequence_trained, sequence_figures, train_sequence
from ssl_asr.training.simulated import run_simulated
from ssl_asr.training.trainable import Trainable

# Products of the stages before that a model is trained on.
LABELED_STORES = (f"{FEATURES}/labeled", f"{ALIGNMENTS}/labeled", SENONE_SET)
UNLABELED_STORES = (f"{FEATURES}/unlabeled",)


def run_teacher(recipe: Recipe) -> StageReport:
    """Train the teacher on the labeled data."""
    return _train(recipe, teacher_plan(recipe, TEACHER, load_senones(recipe.run)))


def run_student(recipe: Recipe) -> StageReport:
    """Train the student on unlabeled audio with the teacher's targets, and on the labeled data."""
    return _train(recipe, student_plan(recipe))


def run_baseline(recipe: Recipe) -> StageReport:
    """Train the student's network on the labeled data alone; with `student.shorter_baseline`, a second one."""
    return _train(recipe, *baseline_plans(recipe))


def run_topline(recipe: Recipe) -> StageReport:
    """Train the student's network on the true labels of all audio; without `evaluate.topline` there is none."""
    if not recipe.evaluate.topline:
        return StageClock(recipe, TOPLINE, "off").finish(0, 0, figures={"off": "evaluate.topline asks for none"})
    return _train(recipe, topline_plan(recipe))


def _train(recipe: Recipe, *plans: AcousticPlan) -> StageReport:
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
                rejects += train_sequence(recipe, job_of(recipe, plan), partial(fit_job, workers=recipe.cluster))
    slabs = sum(plan.slabs + plan.sequence_slabs for plan in plans)
    made = sum(plan.slabs for plan in left) + sum(plan.sequence_slabs for plan in sequence)
    figures = _figures(recipe, plans[0])
    for plan in plans[1:]:
        figures |= {f"{plan.name}_{name}": value for name, value in _figures(recipe, plan).items()}
    return clock.finish(slabs, slabs - made, rejects, figures)


def train(recipe: Recipe, plan: AcousticPlan) -> None:
    """Train the model by frames, from its last checkpoint if there is one; call it inside `cluster.joined`."""
    fit_job(job_of(recipe, plan), recipe.cluster)


def fit_job(job: Trainable, workers: Cluster) -> None:
    """Train the job's model, from its last checkpoint if there is one; call it inside `cluster.joined`."""
    write_schedule(job.run, job.name, job.key, job.schedule, {source.name: len(source) for source in job.sources})
    if job.sync.simulated_workers is not None:
        cluster.as_task(run_simulated)(job, job.sync.simulated_workers)
        return
    fit(job, workers)


def fit(job: Trainable, workers: Cluster) -> CurveWriter:
    """Train on Ray Train, which is imported here: a dry run does without."""
    from ssl_asr.training.elastic.fit import fit as fit_on_ray

    return fit_on_ray(job, workers)


def _figures(recipe: Recipe, plan: AcousticPlan) -> dict[str, float | str]:
    """Of the training by cross-entropy, and of what followed it."""
    simulated = settings_of(recipe, plan.name).sync.simulated_workers
    figures = curve_figures(recipe.run, plan.name, parameters_of(recipe, plan), simulated)
    return figures | sequence_figures(recipe, plan.name) if plan.sequence_slabs else figures


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


def _is_sequence_trained(recipe: Recipe, plan: AcousticPlan) -> bool:
    return is_trained(recipe, plan) and is_sequence_trained(recipe, plan.name)
