"""Decodes the models of an adaptation and compares them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ssl_asr.adaptation.cohort import CohortOf
from ssl_asr.adaptation.jobs import Adaptation
from ssl_asr.adaptation.measures import Change
from ssl_asr.adaptation.results import AdaptResults, best_of
from ssl_asr.adaptation.scoring import compare_on_test, held_out_groups, sweep_point, table_of
from ssl_asr.adaptation.speech import cohorts_in
from ssl_asr.adaptation.told import telling
from ssl_asr.decoding.graph_files import graph_inputs, make_graph
from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slabs import DecodedSlab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.inputs import describe_system, language_inputs, references, split_slabs
from ssl_asr.evaluation.slab_tasks import decode
from ssl_asr.evaluation.transcripts import write_transcripts
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.scored_table import ScoredTable
from ssl_asr.hmm.senones import load_senones
from ssl_asr.runtime import cluster


@dataclass(frozen=True)
class Judge:
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
