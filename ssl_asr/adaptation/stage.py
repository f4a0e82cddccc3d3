"""`ssl-asr adapt`: trains all strengths of a method, lets dev choose one, and compares it with the model before.

Models are trained, decoded and audited as those of the stages: what is done stays, and an interrupted training goes
on from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ssl_asr.adaptation.average import averaged
from ssl_asr.adaptation.cohort import cohort_finder, cohorts_named, read_cohorts
from ssl_asr.adaptation.jobs import Adaptation, adapting_job, strengths_of
from ssl_asr.adaptation.judge import Judge
from ssl_asr.adaptation.plan import plan_of
from ssl_asr.adaptation.progress import PlannedAdaptation, planned, write_planned
from ssl_asr.adaptation.results import AdaptResults
from ssl_asr.adaptation.results_file import write_adapted
from ssl_asr.adaptation.sample import make_fisher
from ssl_asr.adaptation.scoring import check_dev
from ssl_asr.adaptation.speech import find_speech
from ssl_asr.adaptation.voices import is_by_voices, voice_finder
from ssl_asr.decoding.scores import Scales
from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.models.model_files import MADE_FROM, made_from, model_id
from ssl_asr.recipe import Method, Recipe
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.training.acoustic_plan import job_of
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.stage import fit_job

STAGE = "adapt"


@dataclass(frozen=True)
class Wanted:
    """`folder` holds what `ssl-asr cohorts -o` has found; `cohort` is a name there, or the whole bottom part."""

    cohort: str
    method: Method
    model: str
    folder: str


def run_adapt(recipe: Recipe, wanted: Wanted) -> AdaptResults:
    """ValueError in one sentence where the cohort, its speech, or what it is compared with is missing."""
    refuse_second(recipe, STAGE)
    work, judge, jobs = _prepared(recipe, wanted)
    plan = planned(work.name, work.plan.name, jobs.values())
    clock = StageClock(recipe, STAGE, plan.key)
    clock.claim()
    write_planned(recipe.run, plan)
    with cluster.joined():
        judge.check_test()
        made = _train(work, jobs)
        results = judge.compare([*jobs])
    clock.finish(len(jobs), len(jobs) - made)
    write_adapted(results)
    return results


def plan_adapt(recipe: Recipe, wanted: Wanted) -> PlannedAdaptation:
    """What `run_adapt` would train, and refuses before it trains; writes nothing and starts no Ray."""
    work, _, jobs = _prepared(recipe, wanted)
    return planned(work.name, work.plan.name, jobs.values())


def _prepared(recipe: Recipe, wanted: Wanted) -> tuple[Adaptation, Judge, dict[float, TrainingJob]]:
    """All jobs are made before the first training: what is wrong is said at once."""
    found = read_cohorts(recipe.run, wanted.folder)
    cohorts, plan = cohorts_named(found, wanted.cohort), plan_of(recipe, wanted.model)
    splits = [source.split for source in plan.sources]
    cohort_of = voice_finder(recipe, found, [*splits, "dev"]) if is_by_voices(found) else cohort_finder(found)
    speech = find_speech(recipe.run, splits, cohort_of, cohorts)
    work = Adaptation(recipe, plan, found.by, cohorts, speech, wanted.method)
    judge = Judge(work, found, cohort_of, _scales(recipe, wanted.model))
    strengths = strengths_of(recipe.adapt, wanted.method)
    if len(strengths) > 1:
        check_dev(references(recipe, "dev"), cohort_of, cohorts)
    return work, judge, _jobs(work, strengths)


def _scales(recipe: Recipe, model: str) -> Scales:
    """Those that were tuned for the model before, with which all are decoded."""
    if not filesystem.exists(results_uri(recipe.run)):
        raise ValueError(f"{recipe.run} has no results yet; run `ssl-asr evaluate {recipe.run}` first")
    results = read_results(recipe.run)
    if results.inputs.get(model) != model_id(model_uri(recipe.run, model)):
        raise ValueError(f"the results of {recipe.run} are of another {model}; run `ssl-asr evaluate {recipe.run}`")
    return Scales(results.kappa[model], results.prior_scale.get(model, 1.0))


def _jobs(work: Adaptation, strengths: Sequence[float]) -> dict[float, TrainingJob]:
    """By strength; averages are all made from the fine-tuned model."""
    if work.method == "average":
        return dict.fromkeys(strengths, adapting_job(replace(work, method="finetune"), 1.0))
    return {strength: adapting_job(work, strength) for strength in strengths}


def _train(work: Adaptation, jobs: Mapping[float, TrainingJob]) -> int:
    """How many models were not there before."""
    run = work.recipe.run
    left = [each for each in jobs if made_from(model_uri(run, work.name_at(each))) != work.inputs_at(each)]
    if left and work.method == "ewc":
        sample = (work.recipe.adapt.fisher_utterances, work.recipe.seed)
        speech = (job_of(work.recipe, work.plan).reader, tuple(work.plan.sources))
        make = cluster.as_task(make_fisher)
        make(work.fisher, model_uri(run, work.plan.name), work.fisher_inputs(), speech, sample)
    for strength in left:
        job = jobs[strength]
        if made_from(model_uri(run, job.name)) != job.inputs:
            fit_job(job, work.recipe.cluster)
        if work.method == "average":
            _average(work, job.name, strength)
    return len(left)


def _average(work: Adaptation, tuned: str, strength: float) -> None:
    run = work.recipe.run
    start, _ = read_weights(model_uri(run, work.plan.name))
    adapted, about = read_weights(model_uri(run, tuned))
    made = {**about, MADE_FROM: work.inputs_at(strength)}
    write_weights(model_uri(run, work.name_at(strength)), averaged(start, adapted, strength), made)
