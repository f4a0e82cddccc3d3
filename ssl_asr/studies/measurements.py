"""What the runs of a study have measured: scored utterances, figures of the stages' reports, and the time taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ssl_asr.evaluation.scored_run import scored_system
from ssl_asr.evaluation.scoring import ScoredUtterance
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.studies.comparing import Figures, Scored
from ssl_asr.studies.runs import Planned, reporting_stages
from ssl_asr.studies.study import Study


def scored_systems(study: Study, planned: Sequence[Planned]) -> Scored:
    """The utterances of every system whose word errors are compared, by seed."""
    scored: dict[tuple[str, str], dict[int, list[ScoredUtterance]]] = defaultdict(dict)
    for variant, seed, recipe in planned:
        for system in (name for of, name in study.systems() if of == variant):
            scored[variant, system][seed] = scored_system(recipe, system)
    return scored


def reported_figures(study: Study, planned: Sequence[Planned]) -> Figures:
    """All other figures that are compared, by seed; ValueError where a run reports no such number."""
    figures: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for variant, seed, recipe in planned:
        for of, system, figure in study.figures():
            if of == variant:
                figures[variant, system, figure][seed] = _reported(recipe, system, figure)
    return figures


def _reported(recipe: Recipe, system: str, figure: str) -> float:
    """A figure of the system's stages; ValueError where their reports have none of this name."""
    stages = reporting_stages(recipe, system)
    reports = [report for stage in stages if (report := read_report(recipe, stage)) is not None]
    figures = {name: value for report in reports for name, value in report.figures.items()}
    # Of a stage's models the first has its figures by their own names.
    value = figures.get(figure if system in stages else f"{system}_{figure}")
    if not isinstance(value, int | float):
        numbers = ", ".join(name for name, known in figures.items() if isinstance(known, int | float))
        where = f"{recipe.run}, stage {' and '.join(stages)},"
        raise ValueError(f"{where} reports no number '{figure}' of {system}; it reports {numbers}")
    return float(value)


def minutes_of(planned: Sequence[Planned]) -> float:
    """Of all stages; what a variant did not make itself has the report of the run that did, and counts once."""
    spent = {
        (seed, report.stage, report.seconds)
        for _, seed, recipe in planned
        for stage in wanted_stages(recipe)
        if (report := read_report(recipe, stage.name)) is not None
    }
    return sum(seconds for _, _, seconds in spent) / 60
