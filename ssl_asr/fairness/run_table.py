"""The scored utterances of a finished run: a system's hypotheses, joined with speakers and tags of the manifest."""

from __future__ import annotations

from ssl_asr.evaluation.scored_run import scored_test
from ssl_asr.fairness.scored_table import ScoredTable, TaggedUtterance
from ssl_asr.recipe import Recipe


def table_of_run(recipe: Recipe, system: str) -> ScoredTable:
    """Of the test split; ValueError where the run has no hypotheses of the system."""
    found = [TaggedUtterance(scored, said.tags) for said, scored in scored_test(recipe, system)]
    return ScoredTable(recipe.run, system, found)
