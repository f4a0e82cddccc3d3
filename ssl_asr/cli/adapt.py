"""`ssl-asr adapt RUN --cohort NAME --method ...`: a model for speakers whom it understands worse."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_asr.adaptation.stage import Wanted
    from ssl_asr.recipe import Recipe

_METHODS = {
    "finetune": "training goes on with the cohort's speech",
    "ewc": "the same, but weights that matter for what was learned are held (elastic weight consolidation)",
    "l2sp": "the same, but all weights are held alike",
    "average": "fine-tuned weights are averaged with those before",
    "replay": "speech of everybody is mixed in",
    "oversample": "the student is trained anew from its own start, with more of the cohort's teacher-labelled speech",
    "embedding": "training goes on with all speech, and the network is told the cohort of each speaker",
}


def add_command(commands: Any) -> None:
    """To the commands of the program."""
    does = "adapts a trained model to a cohort that `cohorts` has found"
    methods = "\n".join(f"  {name:<10} {text}" for name, text in _METHODS.items())
    command = commands.add_parser(
        "adapt",
        description=f"adapt: {does}.\n\nmethods:\n{methods}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help=does,
    )
    command.add_argument("recipe", metavar="RUN", help="the directory of a finished run")
    command.add_argument("overrides", nargs="*", metavar="key=value", help="override a value, such as adapt.passes=5")
    command.add_argument(
        "--cohort",
        required=True,
        metavar="NAME",
        help="of the cohorts found; `bottom`: all that are understood worse",
    )
    command.add_argument("--method", required=True, choices=[*_METHODS], help="see above")
    command.add_argument(
        "--model", default="student", help="a model that cross-entropy has trained; default: student"
    )
    command.add_argument(
        "--cohorts", metavar="DIR", help="where `ssl-asr cohorts -o DIR` wrote; default: RUN/report/cohorts"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say what would be trained, how long that takes, and what is done"
    )


def _planned(recipe: Recipe, wanted: Wanted) -> str:
    from ssl_asr.adaptation.progress import progress_of
    from ssl_asr.adaptation.progress_table import format_planned
    from ssl_asr.adaptation.stage import plan_adapt

    plan = plan_adapt(recipe, wanted)
    return format_planned(plan, progress_of(recipe.run, plan))


def run(recipe: Recipe, options: argparse.Namespace) -> None:
    """Prints the tables, or with --dry-run what would be trained.

    ValueError where there is no such cohort, or no speech of it to train on.
    """
    from ssl_asr.adaptation.stage import Wanted, run_adapt
    from ssl_asr.adaptation.table import format_adapted
    from ssl_asr.report.adapted import render_adapted
    from ssl_asr.store import filesystem
    from ssl_asr.store.results_layout import adapted_page_uri, cohorts_folder

    folder = options.cohorts or cohorts_folder(recipe.run)
    wanted = Wanted(options.cohort, options.method, options.model, folder)
    if options.dry_run:
        print(_planned(recipe, wanted))
        return
    results = run_adapt(recipe, wanted)
    print(format_adapted(results))
    page = adapted_page_uri(recipe.run, results.name)
    filesystem.write_bytes(page, render_adapted(results).encode())
    print(page)
