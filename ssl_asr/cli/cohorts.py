"""`ssl-asr cohorts RUN|FILE --by ...`: which speakers a system understands worse than others."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ssl_asr.cli.values import whole

if TYPE_CHECKING:
    from ssl_asr.fairness.results import CohortResults
    from ssl_asr.fairness.scored_table import ScoredTable

_FILES = (".jsonl", ".json")


def add_command(commands: Any) -> None:
    """To the commands of the program."""
    does = "finds the speakers whom a system understands worse, by tag, by place or by voice"
    command = commands.add_parser("cohorts", description=f"cohorts: {does}.", help=does)
    command.add_argument(
        "source", metavar="RUN|FILE", help="a finished run, or lines of JSON with hypotheses and tags"
    )
    command.add_argument(
        "--by",
        required=True,
        metavar="tag:NAME|geo|voices|embeddings:FILE",
        help="a tag; the tags latitude and longitude; the embeddings that `ssl-asr speakers` wrote into the run "
        "(voices:NAME, if it has a name); or an .npz of ids and vectors of speakers or utterances",
    )
    command.add_argument("--system", default="student", help="whose hypotheses of the run; default: student")
    command.add_argument("-o", "--out", metavar="DIR", help="write cohorts.json and a page there")
    for name, least, default in (("words", 1, 500), ("speakers", 2, 5)):
        command.add_argument(
            f"--least-{name}",
            type=whole(least, 10**9),
            default=default,
            metavar="N",
            help=f"{name} on each side of a cut, in the half of the speakers that is searched; default: {default}",
        )
    command.add_argument(
        "--seed", type=whole(0, 2**31), default=1, metavar="N", help="chooses the halves; default: 1"
    )


def run(options: argparse.Namespace) -> None:
    """Prints the tables and writes what was asked for. ValueError if there are no cohorts to compare."""
    from ssl_asr.fairness.cohort_table import format_cohorts
    from ssl_asr.fairness.cuts import Least
    from ssl_asr.fairness.find import Settings, find_cohorts
    from ssl_asr.store import filesystem

    if options.out:
        filesystem.make_folder(options.out)
    settings = Settings(Least(options.least_words, options.least_speakers), options.seed)
    results = find_cohorts(_table(options.source, options.system), options.by, settings)
    print(format_cohorts(results))
    if options.out:
        _write(options.out, results)


def _table(source: str, system: str) -> ScoredTable:
    if source.endswith(_FILES):
        from ssl_asr.fairness.file_table import table_of_file

        return table_of_file(source)
    from ssl_asr.fairness.run_table import table_of_run
    from ssl_asr.runtime.run_directory import open_recipe

    return table_of_run(open_recipe(source), system)


def _write(out: str, results: CohortResults) -> None:
    from ssl_asr.fairness.cohort_file import write_cohorts
    from ssl_asr.report.cohorts.page import render_cohorts
    from ssl_asr.store import filesystem
    from ssl_asr.store.results_layout import cohorts_page_uri

    write_cohorts(out, results)
    uri = cohorts_page_uri(out)
    filesystem.write_bytes(uri, render_cohorts(results).encode())
    print(uri)
