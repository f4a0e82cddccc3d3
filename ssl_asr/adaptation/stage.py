"""`ssl-asr adapt`: trains all strengths of a method, lets dev choose one, and compares it with the model before.

Models are trained, decoded and audited as those of the stages: what is done stays, and an interrupted training goes
on from its checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ssl_asr.adaptation.average import averaged
from ssl_asr.adaptation.cohort import CohortOf, cohort_finder, cohorts_named, read_cohorts
from ssl_asr.adaptation.jobs import Adaptation, Method, adapting_job, strengths_of
from ssl_asr.adaptation.measures import Change
from ssl_asr.adaptation.plan import plan_of
from ssl_asr.adaptation.results import AdaptResults, best_of
from ssl_asr.adaptation.sample import make_fisher
from ssl_asr.adaptation.scoring import check_dev, compare_on_test, held_out_groups, sweep_point, table_of
from ssl_asr.adaptation.speech import cohorts_in, find_speech
from ssl_asr.adaptation.told import telling
from ssl_asr.adaptation.voices import is_by_voices, voice_finder
from ssl_asr.decoding.graph_files import graph_inputs, make_graph
from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slabs import DecodedSlab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.inputs import describe_system, language_inputs, references, split_slabs
from ssl_asr.evaluation.results import read_results
from ssl_asr.evaluation.slab_tasks import decode
from ssl_asr.evaluation.transcripts import write_transcripts
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.scored_table import ScoredTable
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.model_files import MADE_FROM, made_from, model_id
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from ssl_asr.store import filesystem
from ssl_asr.store.layout import model_uri
from ssl_asr.store.results_layout import adapted_uri, results_uri
from ssl_asr.store.weights import read_weights, write_weights
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.plan import job_of
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
    found = read_cohorts(recipe.run, wanted.folder)
    cohorts, plan = cohorts_named(found, wanted.cohort), plan_of(recipe, wanted.model)
    splits = [source.split for source in plan.sources]
    cohort_of = voice_finder(recipe, found, [*splits, "dev"]) if is_by_voices(found) else cohort_finder(found)
    speech = find_speech(recipe.run, splits, cohort_of, cohorts)
    work = Adaptation(recipe, plan, found.by, cohorts, speech, wanted.method)
    judge = _Judge(work, found, cohort_of, _scales(recipe, wanted.model))
    strengths = strengths_of(recipe.adapt, wanted.method)
    if len(strengths) > 1:
        check_dev(references(recipe, "dev"), cohort_of, cohorts)
    jobs = _jobs(work, strengths)  # all before the first training: what is wrong is said at once
    clock = StageClock(recipe, STAGE, inputs_key({job.name: job.key for job in jobs.values()}))
    clock.claim()
    with cluster.joined():
        judge.check_test()
        made = _train(work, jobs)
        results = judge.compare(strengths)
    clock.finish(len(strengths), len(strengths) - made)
    values = json.dumps(asdict(results), indent=1, allow_nan=False) + "\n"
    filesystem.write_bytes(adapted_uri(recipe.run, work.name), values.encode())
    return results


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


@dataclass(frozen=True)
class _Judge:
    """Decodes and compares the models of an adaptation, all with the same scales; call it inside `cluster.joined`."""

    work: Adaptation
    found: CohortResults
    cohort_of: CohortOf
    scales: Scales

    def check_test(self) -> None:
        """ValueError where the cohorts are not of this test split: after the training it would come hours late."""
        (table,) = self._tables("test", [self.work.plan.name])
        held_out_groups(table, self.found, self.cohort_of, self.work.cohorts)

    def compare(self, strengths: Sequence[float]) -> AdaptResults:
        work, recipe = self.work, self.work.recipe
        before, names = work.plan.name, [work.name_at(strength) for strength in strengths]
        tell = [name for name in names if work.takes_cohorts(name)]
        tables = self._tables("dev", [before, *names], tell)
        sweep = [
            sweep_point(strength, table, self.cohort_of, work.cohorts)
            for strength, table in zip([None, *strengths], tables, strict=True)
        ]
        chosen = best_of(sweep)
        system = work.name_at(chosen)
        first, second = self._tables("test", [before, system], tell)
        decoded = self._decoded("test", [system], tell)[system]
        write_transcripts(recipe.run, system, decoded, references(recipe, "test"))
        return AdaptResults(
            run=recipe.run,
            name=work.name,
            model=before,
            method=work.method,
            by=work.by,
            cohorts=work.cohorts,
            speakers=len(work.speech.speakers),
            hours=work.speech.hours(),
            sweep=sweep,
            chosen=chosen,
            system=system,
            changes=self._changes(first, second),
            unknown=self._changes(first, *self._tables("test", [system])) if system in tell else None,
        )

    def _changes(self, before: ScoredTable, after: ScoredTable) -> list[Change]:
        recipe = self.work.recipe
        draws = Draws(recipe.evaluate.bootstrap, recipe.seed)
        return compare_on_test((before, after), self.found, self.cohort_of, self.work.cohorts, draws)

    def _tables(self, split: str, models: Sequence[str], tell: Collection[str] = ()) -> list[ScoredTable]:
        """Of each model in turn; those of `tell` are told the speakers' cohorts."""
        run, said = self.work.recipe.run, references(self.work.recipe, split)
        decoded = self._decoded(split, models, tell)
        return [table_of(run, name, decoded[name], said) for name in models]

    def _decoded(self, split: str, models: Sequence[str], tell: Collection[str]) -> dict[str, Sequence[DecodedSlab]]:
        """By model. What was decoded before is read."""
        recipe, senones = self.work.recipe, load_senones(self.work.recipe.run)
        inputs = graph_inputs(recipe.run, senones.id, language_inputs(recipe))
        graph = cluster.as_task(make_graph)(recipe.run, recipe.evaluate.lm_order, inputs)
        described = [describe_system(recipe, name, graph, senones) for name in models]
        cohorts = cohorts_in(references(recipe, split).values(), self.cohort_of) if tell else {}
        systems = {telling(each, cohorts) if each.name in tell else each: [self.scales] for each in described}
        by_scales, _ = decode(f"decoding {split}", systems, split_slabs(recipe, split, senones))
        return {name: by_scales[name][self.scales] for name in models}
