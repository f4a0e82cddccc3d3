"""Seconds by stage of a whole run: `python -m jobs.bench.endtoend [RECIPE] [--run DIR] [key=value ...]`.

Without --run it runs the recipe (default: demo) in a fresh directory. With --run it reads the stored times of a run.
It prints a table, then one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile

from ssl_asr.progress import clock
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.runtime.stage_report import read_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="demo")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--run", help="a finished run to read instead of running one")
    options = parser.parse_args()
    try:
        seconds = times(options.run) if options.run else fresh(options.recipe, options.overrides)
    except ValueError as error:
        sys.exit(f"endtoend: {error}")
    total = sum(seconds.values())
    print(f"{'stage':<12}{'seconds':>10}{'share':>8}")
    for stage, spent in seconds.items():
        print(f"{stage:<12}{spent:>10.1f}{spent / total:>8.0%}")
    print(f"{'total':<12}{total:>10.1f}  {clock(total)} on {os.cpu_count()} cores")
    print(json.dumps({**seconds, "total": round(total, 2)}))


def fresh(recipe: str, overrides: list[str]) -> dict[str, float]:
    """Run everything in an empty directory; recordings in the cache are not fetched again."""
    from ssl_asr.cli import commands

    with tempfile.TemporaryDirectory(prefix="ssl-asr-endtoend-") as folder:
        commands.run_all(open_recipe(recipe, [*overrides, f"run={folder}"]))
        return times(folder)


def times(run: str) -> dict[str, float]:
    """Seconds of every stage that the run's recipe asks for; ValueError naming the first unfinished stage."""
    recipe = open_recipe(run)
    reports = {stage.name: read_report(recipe, stage.name) for stage in wanted_stages(recipe)}
    missing = [name for name, report in reports.items() if report is None]
    if missing:
        raise ValueError(f"{run}: the stage {missing[0]} is not done; `ssl-asr run {run}` does all that is left")
    return {name: report.seconds for name, report in reports.items() if report is not None}


if __name__ == "__main__":
    main()
