"""Accuracy against the number of workers, in the form of Table I of Parthasarathi & Strom (2019).

`python -m jobs.bench.scaling --run RUN [--processes P] [--plot PNG]` trains a small LSTM on the run's unlabeled
speech with its teacher's targets. For each of three seeds it makes a warm start with one worker; from it, it trains
with every strategy and 2 to 64 simulated workers, on the same number of frames at one worker's learning rate. It
prints the change of the frame accuracy on dev and test speech, relative to one worker of the same seed, in %, as mean
and standard error over the seeds; then one JSON object as the last line. Without --run, the demo recipe is run first,
into runs/demo. Finished trainings are stored in RUN/scaling, so a second call continues; --show trains nothing. It
takes about two hours on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssl_asr.runtime.run_directory import open_recipe

# A script does not have `jobs` on its path; its child processes inherit this setting.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from jobs.bench.scaling_runs import METHODS, ONE, SEEDS, WORKERS, Bench, Result, Run

BARS = (
    ("bmuf_rel_acc_pct_64", "BMUF, Nesterov", 64),
    ("averaging_rel_acc_pct_64", "plain averaging", 64),
    ("gtc_rel_acc_pct_32", "GTC", 32),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="a run that is labelled (default: runs/demo, run as far as it needs)")
    parser.add_argument("--folder", help="for what is trained (default: RUN/scaling)")
    parser.add_argument("--processes", type=int, default=2, help="trainings at a time, a core each (default: 2)")
    parser.add_argument("--plot", metavar="PNG", help="draw the table there too")
    parser.add_argument("--show", action="store_true", help="only print what is finished")
    options = parser.parse_args()
    try:
        run = options.run or demo()
        bench = Bench(run, options.folder or f"{run}/scaling")
        if not options.show:
            bench.train_all(options.processes)
    except ValueError as error:
        sys.exit(f"scaling: {error}")
    results = bench.results()
    show(results)
    if options.plot:
        plot(results, options.plot)
    print(json.dumps({key: rounded(changes(results, name, workers)) for key, name, workers in BARS}))


def demo() -> str:
    """The demo preset's run, with all stages that are not done yet."""
    from ssl_asr.cli import commands

    recipe = open_recipe("demo")
    commands.run_all(recipe)
    return recipe.run


def changes(results: Sequence[Result], method: str, workers: int) -> list[float]:
    """Relative change of the frame accuracy in % against one worker, for every finished seed."""
    accuracy = {result.run: result.accuracy for result in results}
    found = []
    for seed in SEEDS:
        one, many = accuracy.get(Run(ONE, 1, seed)), accuracy.get(Run(method, workers, seed))
        if one is not None and many is not None:
            found.append(100 * (many / one - 1))
    return found


def rounded(values: Sequence[float]) -> float | None:
    """The mean; None until all seeds are finished."""
    return round(float(np.mean(values)), 3) if len(values) == len(SEEDS) else None


def standard_error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def show(results: Sequence[Result]) -> None:
    for result in results:
        if result.run.method == ONE:
            gain = 100 * (result.accuracy / result.warm - 1)
            print(
                f"seed {result.run.seed}: frame accuracy {100 * result.warm:.2f} % after the warm start, "
                f"{100 * result.accuracy:.2f} % with one worker ({gain:+.1f} % relative)"
            )
    print(f"{'relative change, %':<20}" + "".join(f"{f'N = {workers}':>18}" for workers in WORKERS))
    for method in METHODS:
        cells = [cell(changes(results, method.name, workers)) for workers in WORKERS]
        print(f"{method.name:<20}" + "".join(f"{text:>18}" for text in cells))


def cell(values: Sequence[float]) -> str:
    """Mean and standard error; before all seeds are finished, the value of each seed in brackets."""
    if len(values) < len(SEEDS):
        return " ".join(f"({value:+.2f})" for value in values) or "-"
    return f"{np.mean(values):+.2f} ± {standard_error(values):.2f}"


def plot(results: Sequence[Result], path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for place, method in enumerate(METHODS):
        points = [(workers, changes(results, method.name, workers)) for workers in WORKERS]
        known = [(workers, values) for workers, values in points if values]
        # A little apart, or error bars hide each other.
        where = [workers * 1.03 ** (place - 2) for workers, _ in known]
        means = [float(np.mean(values)) for _, values in known]
        errors = [standard_error(values) for _, values in known]
        axes.errorbar(where, means, errors, marker="o", markersize=4, capsize=2, linewidth=1.2, label=method.name)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(WORKERS, [str(workers) for workers in WORKERS])
    # Averaging and dense sums fall far below; what matters lies around zero.
    axes.set_yscale("symlog", linthresh=2, linscale=2)
    axes.set_yticks([-50, -20, -10, -5, -2, -1, 0, 1, 2], ["-50", "-20", "-10", "-5", "-2", "-1", "0", "1", "2"])
    axes.set_xlabel("workers at equal data")
    axes.set_ylabel("frame accuracy against one worker, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
