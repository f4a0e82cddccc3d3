"""The scored utterances of a finished run: a system's hypotheses, joined with speakers and tags of the manifest."""

from __future__ import annotations

from ssl_asr.evaluation.scored_run import scored_test
from ssl_asr.fairness.scored_table import ScoredTable, TaggedUtterance
from ssl_asr.recipe import Recipe


def table_of_run(recipe: Recipe, system: str) -> ScoredTable:
    """Of the test split; ValueError where the run has no hypotheses of the system.

    An utterance that could not be decoded has no words: all of its reference is deleted, as in the run's results.
    """
    if not filesystem.exists(hypotheses_uri(recipe.run, system)):
        known = [
            uri.rpartition("/")[2].removesuffix(".jsonl")
            for uri in filesystem.list_files(hypotheses_folder(recipe.run), ".jsonl")
        ]
        fix = f"it has those of {', '.join(known)}" if known else f"run `ssl-asr evaluate {recipe.run}` first"
        raise ValueError(f"{recipe.run} has no hypotheses of '{system}'; {fix}")
    said = references(recipe, "test")
    found = []
    for each in read_transcripts(recipe.run, system):
        if each.id not in said:
            raise ValueError(
                f"{recipe.run}: the hypotheses of '{system}' are of another test split; "
                f"run `ssl-asr evaluate {recipe.run}` again"
            )
        spoken = said[each.id]
        if spoken.text is not None:
            found.append(TaggedUtterance(scored_as(spoken, each.hypothesis), spoken.tags))
    return ScoredTable(recipe.run, system, found)


def scored_as(said: Utterance, hypothesis: str) -> ScoredUtterance:
    """Where this was recognised for an utterance with a text."""
    edits = count_edits((said.text or "").split(), hypothesis.split())
    place = (said.id, said.recording, set_of(said), said.condition)
    return ScoredUtterance(*place, edits, said.speaker, is_of_other_channel(said))
    """Of the test split; ValueError where the run has no hypotheses of the system."""
    found = [TaggedUtterance(scored, said.tags) for said, scored in scored_test(recipe, system)]
    return ScoredTable(recipe.run, system, found)
