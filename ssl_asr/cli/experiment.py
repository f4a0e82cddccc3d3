"""`ssl-asr experiment STUDY`: runs all that a study compares, and writes its page, its plot and the table of all."""

from __future__ import annotations

import argparse
import shlex
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_asr.evaluation.scoring import ScoredUtterance
    from ssl_asr.recipe import Recipe
    from ssl_asr.studies.outcome import Outcome, Provenance
    from ssl_asr.studies.study import Study

_REPLICATES = 10_000
RUNS, OUT = "runs/studies", "runs/studies/results"  # the folders, unless told otherwise


def add_command(commands: Any) -> None:
    """To the commands of the program."""
    does = "answers a question by runs with several seeds: a table, a plot and a verdict"
    command = commands.add_parser("experiment", description=f"experiment: {does}.", help=does)
    command.add_argument("study", metavar="STUDY", help="one of ours (--list shows them), or a YAML file", nargs="?")
    command.add_argument("overrides", nargs="*", metavar="key=value", help="override a value in all of its runs")
    command.add_argument("--list", action="store_true", help="show our studies, as without STUDY")
    command.add_argument("--recipe", metavar="RECIPE", help="in place of the study's own, with a page of its own")
    command.add_argument("--seeds", type=int, nargs="+", metavar="N", help="in place of the study's own")
    command.add_argument(
        "--runs",
        default=RUNS,
        metavar="DIR",
        help=f"of the runs, which studies share; default: {RUNS}",
    )
    command.add_argument(
        "-o",
        "--out",
        default=OUT,
        metavar="DIR",
        help=f"of the pages; default: {OUT}",
    )
    command.add_argument("--dry-run", action="store_true", help="show the runs, and which are finished")


def run(options: argparse.Namespace) -> None:
    """ValueError where the study or one of its recipes is not valid: before any run."""
    from ssl_asr.studies.study import read_study, with_recipe

    if options.list or options.study is None:
        _list(options.runs)
        return
    study = read_study(options.study)
    if options.seeds:
        study = type(study)(**{**study.model_dump(), "seeds": tuple(options.seeds)})
    if options.recipe:
        study = with_recipe(study, options.recipe)
    planned = list(_planned(study, options.runs, options.overrides))
    _check_systems(study, planned)
    if options.dry_run:
        _tell_runs(study, planned)
        return
    _kept_outcomes(options.out)
    _run_all(planned)
    _write(options.out, _outcome(study, planned, _command(options, study.seeds)))


def _list(runs: str) -> None:
    from ssl_asr.planning.studies import study_time
    from ssl_asr.studies.study import known_studies, read_study

    print("ssl-asr experiment STUDY runs one of these. Minutes are the planner's, if nothing is there yet.\n")
    print(f"{'study':<10} {'runs':>4} {'minutes':>7}  question")
    for name in known_studies():
        study = read_study(name)
        minutes = study_time(study, [(variant, recipe) for variant, _, recipe in _planned(study, runs, [])])
        print(f"{name:<10} {len(study.seeds) * len(study.variants):>4} {minutes / 60:>7.0f}  {study.question}")


def _tell_runs(study: Study, planned: Sequence[Planned]) -> None:
    from ssl_asr.planning.studies import run_times

    times = run_times(study, [(variant, recipe) for variant, _, recipe in planned])
    left = 0.0
    for (variant, seed, recipe), time in zip(planned, times, strict=True):
        finished = _is_finished(recipe)
        left += 0 if finished else time.seconds
        made = "finished" if finished else f"to be made, about {time.seconds / 60:.1f} min: {', '.join(time.stages)}"
        print(f"{variant}, seed {seed}: {recipe.run}, {made}")
    print(f"about {left / 60:.0f} min in all, by the planner; `ssl-asr plan` has its sources")


def _is_finished(recipe: Recipe) -> bool:
    from ssl_asr.runtime.pipeline import todos
    from ssl_asr.store import filesystem
    from ssl_asr.store.layout import recipe_uri

    return filesystem.exists(recipe_uri(recipe.run)) and not todos(recipe)


Planned = tuple[str, int, "Recipe"]


def _planned(study: Study, runs: str, overrides: Sequence[str]) -> Iterator[Planned]:
    """Variant, seed and recipe of every run, seed by seed: a study that is stopped has whole seeds."""
    from ssl_asr.store import filesystem
    from ssl_asr.studies.places import run_name
    from ssl_asr.studies.study import recipe_of

    for seed in study.seeds:
        for variant in study.variants:
            run = filesystem.join(runs, run_name(study.recipe, seed, [*study.overrides_of(variant), *overrides]))
            yield variant, seed, recipe_of(study, variant, seed, run, overrides)


def _check_systems(study: Study, planned: Sequence[Planned]) -> None:
    """ValueError where a variant has no such system: its runs would be in vain."""
    from ssl_asr.models.systems import BASELINE_SHORT, evaluated

    recipes = {variant: recipe for variant, _, recipe in planned}
    for variant, system in study.systems():
        known = [name for name in evaluated(recipes[variant]) if name != BASELINE_SHORT]
        known += recipes[variant].transducers
        if system not in known:
            raise ValueError(f"'{variant}' of {study.name} has no system '{system}'; it has {', '.join(known)}")
    _check_figures(study, recipes)


def _check_figures(study: Study, recipes: Mapping[str, Recipe]) -> None:
    """ValueError where a variant has no stage with such a name: what it reports is read after the runs."""
    from ssl_asr.runtime.pipeline import wanted_stages

    for variant, system, figure in study.figures():
        known = [stage.name for stage in wanted_stages(recipes[variant])]
        if not {*_reporting(recipes[variant], system)} <= {*known}:
            raise ValueError(
                f"'{variant}' of {study.name} has no stage '{system}' to report {figure}; it has {', '.join(known)}"
            )


def _run_all(planned: Sequence[Planned]) -> None:
    from ssl_asr.cli import commands
    from ssl_asr.runtime.run_directory import start_from

    first: dict[int, str] = {}
    for number, (variant, seed, recipe) in enumerate(planned, 1):
        print(f"\nrun {number} of {len(planned)}: {variant}, seed {seed}", flush=True)
        if seed in first:
            start_from(recipe.run, first[seed])
        commands.run_all(recipe)
        first.setdefault(seed, recipe.run)


def _outcome(study: Study, planned: Sequence[Planned], command: str) -> Outcome:
    from ssl_asr.evaluation.bootstrap import Draws
    from ssl_asr.evaluation.scored_run import scored_system
    from ssl_asr.studies.outcome import outcome_of

    scored: dict[tuple[str, str], dict[int, list[ScoredUtterance]]] = defaultdict(dict)
    for variant, seed, recipe in planned:
        for system in (name for of, name in study.systems() if of == variant):
            scored[variant, system][seed] = scored_system(recipe, system)
    figures: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for variant, seed, recipe in planned:
        for of, system, figure in study.figures():
            if of == variant:
                figures[variant, system, figure][seed] = _reported(recipe, system, figure)
    draws = Draws(_REPLICATES, study.seeds[0])
    return outcome_of(study, scored, draws, _provenance(command, planned), figures)


def _reported(recipe: Recipe, system: str, figure: str) -> float:
    """A figure of the system's stages; ValueError where their reports have none of this name."""
    from ssl_asr.runtime.stage_report import read_report

    stages = _reporting(recipe, system)
    reports = [report for stage in stages if (report := read_report(recipe, stage)) is not None]
    figures = {name: value for report in reports for name, value in report.figures.items()}
    # Of a stage's models the first has its figures by their own names.
    value = figures.get(figure if system in stages else f"{system}_{figure}")
    if not isinstance(value, int | float):
        numbers = ", ".join(name for name, known in figures.items() if isinstance(known, int | float))
        where = f"{recipe.run}, stage {' and '.join(stages)},"
        raise ValueError(f"{where} reports no number '{figure}' of {system}; it reports {numbers}")
    return float(value)


def _reporting(recipe: Recipe, system: str) -> tuple[str, ...]:
    """The stages that report figures of a system: of a transducer those that train it and score it."""
    from ssl_asr.models.systems import stage_of

    return ("transducers", "evaluate") if system in recipe.transducers else (stage_of(system),)


def _provenance(command: str, planned: Sequence[Planned]) -> Provenance:
    from ssl_asr.report.evidence import machine_text
    from ssl_asr.runtime.pipeline import wanted_stages
    from ssl_asr.runtime.stage_report import read_report
    from ssl_asr.studies.outcome import Provenance

    # What a variant did not make itself has the report of the run that did.
    spent = {
        (seed, report.stage, report.seconds)
        for _, seed, recipe in planned
        for stage in wanted_stages(recipe)
        if (report := read_report(recipe, stage.name)) is not None
    }
    return Provenance(
        command=command,
        commit=_commit(),
        machine=machine_text(),
        day=date.today().isoformat(),
        minutes=sum(seconds for _, _, seconds in spent) / 60,
    )


def _command(options: argparse.Namespace, seeds: Sequence[int]) -> str:
    """What makes the same runs elsewhere."""
    from ssl_asr.studies.places import matter

    recipe = ["--recipe", options.recipe] if options.recipe else []
    words = [options.study, *matter(options.overrides), *recipe, "--seeds", *map(str, seeds)]
    return shlex.join(["ssl-asr", "experiment", *words])


def _commit() -> str:
    """Of the source that runs; "unknown" where it is no checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def _kept_outcomes(out: str) -> list[Outcome]:
    """Of the studies whose pages are in the folder; ValueError, before any run, if it is a folder of other things."""
    from ssl_asr.report.studies.markdown import TITLE
    from ssl_asr.store import filesystem
    from ssl_asr.studies.outcome import read_outcome

    filesystem.make_folder(out)
    table = filesystem.join(out, "README.md")
    if filesystem.exists(table) and not filesystem.read_bytes(table).startswith(TITLE.encode()):
        raise ValueError(f"{table} is no table of studies and would be overwritten; name another folder with --out")
    names = sorted(name for name in filesystem.sizes_and_times(out) if name.endswith(".json"))
    return [read_outcome(filesystem.join(out, name)) for name in names]


def _write(out: str, outcome: Outcome) -> None:
    from ssl_asr.report.studies.markdown import sentence, studies_markdown, study_markdown
    from ssl_asr.report.studies.plot import draw_study
    from ssl_asr.store import filesystem
    from ssl_asr.studies.outcome import to_json

    name = outcome.study.name
    filesystem.write_bytes(filesystem.join(out, f"{name}.png"), draw_study(outcome))
    filesystem.write_bytes(filesystem.join(out, f"{name}.md"), study_markdown(outcome, f"{name}.png").encode())
    filesystem.write_bytes(filesystem.join(out, f"{name}.json"), to_json(outcome))
    table = studies_markdown(_kept_outcomes(out))
    filesystem.write_bytes(filesystem.join(out, "README.md"), table.encode())
    print()
    for each in outcome.compared:
        print(sentence(each))
    print(filesystem.join(out, f"{name}.md"))
