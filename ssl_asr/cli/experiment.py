"""`ssl-asr experiment STUDY`: runs all that a study compares, and writes its page, its plot and the table of all."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_asr.studies.outcome import Outcome, Provenance
    from ssl_asr.studies.runs import Planned
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
    from ssl_asr.studies.runs import check_systems, planned_runs
    from ssl_asr.studies.study import read_study, with_recipe

    if options.list or options.study is None:
        _list(options.runs)
        return
    study = read_study(options.study)
    if options.seeds:
        study = type(study)(**{**study.model_dump(), "seeds": tuple(options.seeds)})
    if options.recipe:
        study = with_recipe(study, options.recipe)
    planned = list(planned_runs(study, options.runs, options.overrides))
    check_systems(study, planned)
    if options.dry_run:
        _tell_runs(study, planned)
        return
    _answer(study, planned, options)


def _list(runs: str) -> None:
    from ssl_asr.planning.studies import study_time
    from ssl_asr.studies.runs import planned_runs
    from ssl_asr.studies.study import known_studies, read_study

    print("ssl-asr experiment STUDY runs one of these. Minutes are the planner's, if nothing is there yet.\n")
    print(f"{'study':<10} {'runs':>4} {'minutes':>7}  question")
    for name in known_studies():
        study = read_study(name)
        minutes = study_time(study, [(variant, recipe) for variant, _, recipe in planned_runs(study, runs, [])])
        print(f"{name:<10} {len(study.seeds) * len(study.variants):>4} {minutes / 60:>7.0f}  {study.question}")


def _tell_runs(study: Study, planned: Sequence[Planned]) -> None:
    from ssl_asr.planning.studies import run_times
    from ssl_asr.studies.runs import is_finished

    times = run_times(study, [(variant, recipe) for variant, _, recipe in planned])
    left = 0.0
    for (variant, seed, recipe), time in zip(planned, times, strict=True):
        finished = is_finished(recipe)
        left += 0 if finished else time.seconds
        made = "finished" if finished else f"to be made, about {time.seconds / 60:.1f} min: {', '.join(time.stages)}"
        print(f"{variant}, seed {seed}: {recipe.run}, {made}")
    print(f"about {left / 60:.0f} min in all, by the planner; `ssl-asr plan` has its sources")


def _answer(study: Study, planned: Sequence[Planned], options: argparse.Namespace) -> None:
    """All runs, then the pages, and a sentence for each comparison."""
    from ssl_asr.report.studies.markdown import sentence
    from ssl_asr.report.studies.pages import kept_results, write_pages

    kept_results(options.out)
    _run_all(planned)
    outcome = _outcome(study, planned, _command(options, study.seeds))
    page = write_pages(options.out, outcome)
    print()
    for each in outcome.compared:
        print(sentence(each))
    print(page)


def _run_all(planned: Sequence[Planned]) -> None:
    from ssl_asr.cli import commands
    from ssl_asr.runtime.run_directory import start_from
    from ssl_asr.studies.runs import is_finished

    first: dict[int, str] = {}
    for number, (variant, seed, recipe) in enumerate(planned, 1):
        finished = ", finished before" if is_finished(recipe) else ""
        print(f"\nrun {number} of {len(planned)}: {variant}, seed {seed}{finished}", flush=True)
        if seed in first:
            start_from(recipe.run, first[seed])
        commands.run_all(recipe)
        first.setdefault(seed, recipe.run)


def _outcome(study: Study, planned: Sequence[Planned], command: str) -> Outcome:
    from ssl_asr.evaluation.bootstrap import Draws
    from ssl_asr.studies.comparing import outcome_of
    from ssl_asr.studies.measurements import reported_figures, scored_systems

    scored, figures = scored_systems(study, planned), reported_figures(study, planned)
    draws = Draws(_REPLICATES, study.seeds[0])
    return outcome_of(study, scored, draws, _provenance(command, planned), figures)


def _provenance(command: str, planned: Sequence[Planned]) -> Provenance:
    from ssl_asr.cli.provenance import provenance_of
    from ssl_asr.studies.measurements import minutes_of

    return provenance_of(command, minutes_of(planned))


def _command(options: argparse.Namespace, seeds: Sequence[int]) -> str:
    """What makes the same runs elsewhere."""
    from ssl_asr.studies.places import matter

    recipe = ["--recipe", options.recipe] if options.recipe else []
    words = [options.study, *matter(options.overrides), *recipe, "--seeds", *map(str, seeds)]
    return shlex.join(["ssl-asr", "experiment", *words])
