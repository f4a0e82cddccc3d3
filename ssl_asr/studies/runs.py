"""The runs of a study: their recipes and folders, and whether they can show what is to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ssl_asr.models.systems import BASELINE_SHORT, evaluated, stage_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import todos, wanted_stages
from ssl_asr.store import filesystem
from ssl_asr.store.layout import recipe_uri
from ssl_asr.studies.places import run_name
from ssl_asr.studies.study import Study, recipe_of

Planned = tuple[str, int, Recipe]  # variant, seed and recipe


def planned_runs(study: Study, runs: str, overrides: Sequence[str]) -> Iterator[Planned]:
    """Variant, seed and recipe of every run, seed by seed: a study that is stopped has whole seeds."""
    for seed in study.seeds:
        for variant in study.variants:
            run = filesystem.join(runs, run_name(study.recipe, seed, [*study.overrides_of(variant), *overrides]))
            yield variant, seed, recipe_of(study, variant, seed, run, overrides)


def is_finished(recipe: Recipe) -> bool:
    return filesystem.exists(recipe_uri(recipe.run)) and not todos(recipe)


def check_systems(study: Study, planned: Sequence[Planned]) -> None:
    """ValueError where a variant has no such system: its runs would be in vain."""
    recipes = {variant: recipe for variant, _, recipe in planned}
    for variant, system in study.systems():
        known = [name for name in evaluated(recipes[variant]) if name != BASELINE_SHORT]
        known += recipes[variant].transducers
        if system not in known:
            raise ValueError(f"'{variant}' of {study.name} has no system '{system}'; it has {', '.join(known)}")
    _check_figures(study, recipes)
    _check_conditions(study, recipes)


def _check_figures(study: Study, recipes: Mapping[str, Recipe]) -> None:
    """ValueError where a variant has no stage with such a name: what it reports is read after the runs."""
    for variant, system, figure in study.figures():
        known = [stage.name for stage in wanted_stages(recipes[variant])]
        if not {*reporting_stages(recipes[variant], system)} <= {*known}:
            raise ValueError(
                f"'{variant}' of {study.name} has no stage '{system}' to report {figure}; it has {', '.join(known)}"
            )


def _check_conditions(study: Study, recipes: Mapping[str, Recipe]) -> None:
    """ValueError where the test speech of a variant is not in all conditions that are compared."""
    for each in study.comparisons:
        for variant, _ in each.systems:
            known = recipes[variant].corpus.test_conditions
            if missing := [name for name in (*each.conditions, *each.beyond) if name not in known]:
                raise ValueError(
                    f"'{each.name}' of {study.name} compares {missing[0]}, which '{variant}' does not test; "
                    f"corpus.test_conditions has {', '.join(known)}"
                )


def reporting_stages(recipe: Recipe, system: str) -> tuple[str, ...]:
    """The stages that report figures of a system: of a transducer those that train it and score it."""
    return ("transducers", "evaluate") if system in recipe.transducers else (stage_of(system),)
