"""The fairness stage: finds cohorts in the student's words, and adapts the student to those understood worse.

It does what `ssl-asr speakers`, `cohorts` and `adapt` do, as the recipe's section `fairness` says. What is done stays
while what it is made from does: an extractor, embeddings, models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from ssl_asr.adaptation.cohort import BOTTOM
from ssl_asr.adaptation.found import read_found
from ssl_asr.adaptation.measures import ADAPTED, OVERALL, VARIANCE
from ssl_asr.adaptation.results import AdaptResults
from ssl_asr.adaptation.stage import Wanted, run_adapt
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.fairness.attributes import VOICES
from ssl_asr.fairness.cohort_file import write_cohorts
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.embeddings import embeddings_of_run
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.measures import Settings
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.run_table import table_of_run
from ssl_asr.models.systems import STUDENT
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key, leaves, non_defaults
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, read_report
from ssl_asr.runtime.todo import COHORTS, RESULTS, Todo, reasons, upstream, waiting
from ssl_asr.speakers.embedders import embed_splits, embedder_of
from ssl_asr.speakers.extracting import train_extractor
from ssl_asr.speakers.pool import PoolSettings
from ssl_asr.speakers.settings import TrainingSettings
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import (
    cohorts_page_uri,
    cohorts_uri,
    found_folder,
    found_inputs_uri,
    nothing_found_uri,
)
from ssl_asr.store.training_layout import model_uri

STAGE = "fairness"
VERSION = "4"  # raise where equal inputs give other cohorts or adapted models
EXTRACTOR = "fairness"  # the run's extractor that this stage trains


def run_fairness(recipe: Recipe) -> StageReport:
    """Write the cohorts and the adapted models; ValueError in one sentence where the student can't be adapted.

    A search that finds no cohorts in this speech is told in the figures, and the others go on, unless the student is
    to be adapted to what it finds.
    """
    inputs = _inputs(recipe)
    clock = StageClock(recipe, STAGE, inputs_key(inputs))
    clock.claim()
    before = read_report(recipe, STAGE)
    if before is not None and before.key == clock.key and _kept_inputs(recipe) == inputs:
        return clock.finish(before.pieces, before.pieces, figures=before.figures)
    settings = recipe.fairness
    filesystem.delete(found_inputs_uri(recipe.run))
    if VOICES in settings.by:
        _embed_voices(recipe)
    searched = {by: _searched(recipe, by) for by in settings.by}
    with cluster.joined():
        adapted = [
            run_adapt(recipe, Wanted(BOTTOM, method, STUDENT, found_folder(recipe.run, settings.by[0])))
            for method in settings.methods
        ]
    filesystem.write_bytes(found_inputs_uri(recipe.run), json.dumps(inputs, indent=1, sort_keys=True).encode())
    return clock.finish(len(searched) + len(adapted), 0, figures=dict(_figures(searched, adapted)))


def todo_fairness(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    if causes := upstream(before, RESULTS):
        return [waiting(COHORTS, causes)]
    why = reasons(_kept_inputs(recipe), _inputs(recipe))
    return [Todo(COHORTS, why)] if why else []


def _inputs(recipe: Recipe) -> dict[str, str]:
    """The results stand for the student, for its words and for the speech that it was trained on."""
    settings = recipe.fairness
    chosen = [leaf for leaf in leaves(recipe) if leaf.path.startswith("adapt.") and not leaf.is_default]
    named = [by for by in settings.by if by.startswith(f"{VOICES}:")]
    return {
        "version": VERSION,
        "results": inputs_key(read_results(recipe.run).inputs),
        **non_defaults(recipe, "cohorts"),
        **({leaf.path: leaf.value for leaf in chosen} if settings.methods else {}),
        **{by: embeddings_of_run(recipe.run, by.partition(":")[2]).checksum for by in named},
    }


def _kept_inputs(recipe: Recipe) -> Inputs | None:
    """What was made, and is there; None of what is not."""
    uri = found_inputs_uri(recipe.run)
    if not filesystem.exists(uri):
        return None
    try:
        inputs: Inputs = json.loads(filesystem.read_bytes(uri))
        found = read_found(recipe)
    except ValueError:  # a damaged file, which is made again
        return None
    wanted = (len(recipe.fairness.by), len(recipe.fairness.methods))
    searched = len(found.cohorts) + len(found.nothing)
    models = [model_uri(recipe.run, each.system) for each in found.adapted]
    is_whole = (searched, len(found.adapted)) == wanted and all(map(filesystem.exists, models))
    return inputs if is_whole else None


def _embed_voices(recipe: Recipe) -> None:
    """Training speech and dev too where the student is adapted by voices."""
    settings = TrainingSettings(steps=recipe.fairness.extractor_steps, seed=recipe.seed)
    train_extractor(recipe, EXTRACTOR, PoolSettings(seed=recipe.seed), settings)
    adapts = recipe.fairness.methods and recipe.fairness.by[0] == VOICES
    splits = ["test", "labeled", "unlabeled", "dev"] if adapts else ["test"]
    embed_splits(recipe.run, EXTRACTOR, embedder_of(recipe, EXTRACTOR), splits)


def _searched(recipe: Recipe, by: str) -> CohortResults | str:
    """The cohorts, or why there are none in this speech; ValueError where the student is to be adapted to them."""
    folder, table = found_folder(recipe.run, by), table_of_run(recipe, STUDENT)
    for uri in (cohorts_uri(folder), cohorts_page_uri(folder), nothing_found_uri(folder)):
        filesystem.delete(uri)
    least = Least(recipe.fairness.least_words, recipe.fairness.least_speakers)
    named = f"{VOICES}:{EXTRACTOR}" if by == VOICES else by
    try:
        found = find_cohorts(table, named, Settings(least, recipe.seed))
    except ValueError as error:
        if recipe.fairness.methods and by == recipe.fairness.by[0]:
            raise ValueError(f"fairness.by={by}: {error}") from error
        filesystem.write_bytes(nothing_found_uri(folder), str(error).encode())
        return str(error)
    write_cohorts(folder, found)
    return found


def _figures(
    searched: Mapping[str, CohortResults | str], adapted: Sequence[AdaptResults]
) -> Iterator[tuple[str, str]]:
    for by, each in searched.items():
        if isinstance(each, str):
            yield f"no cohorts by {by}", each
            continue
        gap = "-" if each.gap.value is None else f"{100 * each.gap.value:+.0f} %"
        yield f"gap by {by}", f"{gap} (p = {each.gap.p:.2g})"
    for results in adapted:
        changes = {each.name: each for each in results.changes}
        for name in (ADAPTED, OVERALL, VARIANCE):
            before, after = (changes[name].scale * rate for rate in (changes[name].before, changes[name].after))
            yield f"{results.method} {name}", f"{before:.1f} to {after:.1f}"
