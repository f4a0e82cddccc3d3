"""What the unlabeled speech gains, over several seeds: `python -m jobs.bench.gain [RECIPE] [--seeds 1 2 3]`.

Every seed is a whole run of its own, below --folder: it cuts other splits of open speech and starts other networks.
A run that is there is not made again, and one that was stopped goes on. It prints the word error rates of each seed
and of their mean, the relative reductions, and the share of the topline's gain where the recipe has a topline; then
one JSON object as the last line. WERR of the mean is the mean of the seeds' WERRs. A share is nan where the topline's
own gain is not clearly above zero.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jobs.bench.endtoend import times
from ssl_asr.cli import commands
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.models.systems import TITLES
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store.utterance import CLEAN

Figures = Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="demo")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=Path("runs/gain"), help="of the runs (default: runs/gain)")
    options = parser.parse_args()
    found = {}
    try:
        for seed in options.seeds:
            run = str(options.folder / f"{options.recipe}-{seed}")
            commands.run_all(open_recipe(options.recipe, [*options.overrides, f"run={run}", f"seed={seed}"]))
            found[str(seed)] = figures_of(read_results(run)) | {"minutes": sum(times(run).values()) / 60}
    except ValueError as error:
        sys.exit(f"gain: {error}")
    show(options.recipe, found)


def figures_of(results: Results) -> dict[str, float]:
    """In percent, by name: "SSL student", "WERR bob + joe"; a share of a topline's unclear gain is NaN."""
    places = {"": (ALL, ALL), " clean": (ALL, CLEAN)}
    if results.headline != ALL:
        places[f" {results.headline}"] = (results.headline, ALL)
    figures: dict[str, float] = {}
    for name, place in places.items():
        gain = results.reduction(*place)
        figures |= {f"{TITLES[each]}{name}": 100 * results.row(each, *place).wer for each in results.systems}
        figures[f"WERR{name}"] = 100 * gain.werr
        if gain.topline_share is not None:
            share = gain.topline_share.value
            figures[f"share{name}"] = math.nan if share is None else 100 * share
    everything = results.reduction()
    by_speaker = everything.by_speaker.low
    figures["WERR lower bound"] = 100 * everything.low
    figures["... over speakers"] = math.nan if by_speaker is None else 100 * by_speaker
    return figures


def show(recipe: str, found: Mapping[str, Figures]) -> None:
    names = list(next(iter(found.values())))
    means = {name: _over(found, name, statistics.fmean) for name in names}
    spreads = {name: _over(found, name, _spread) for name in names}
    print(f"{recipe} on {os.cpu_count()} cores; WER, WERR and share of the topline's gain in percent, by seed")
    print(f"{'':<28}" + "".join(f"{seed:>8}" for seed in found) + f"{'mean':>8}{'spread':>8}")
    for name in names:
        values = "".join(f"{figures[name]:>8.1f}" for figures in found.values())
        print(f"{name:<28}{values}{means[name]:>8.1f}{spreads[name]:>8.2f}")
    print(json.dumps({"mean": _rounded(means), "deviation": _rounded(spreads)}))


def _over(found: Mapping[str, Figures], name: str, what: Callable[[Sequence[float]], float]) -> float:
    return what([figures[name] for figures in found.values()])


def _spread(values: Sequence[float]) -> float:
    """Standard deviation over the seeds; NaN for one alone."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _rounded(values: Figures) -> Figures:
    return {name: round(value, 2) for name, value in values.items() if math.isfinite(value)}


if __name__ == "__main__":
    main()
