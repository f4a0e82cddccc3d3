"""Who is understood worse, and what adapting changes, over seeds: `python -m jobs.bench.cohorts [--seeds 1 2 3]`.

Every seed is a run of `fairness-demo` of its own, below --folder, with the methods finetune, ewc, average and replay.
A run that is there is not made again, and one that was stopped goes on. Two questions, with criteria that were
written before the first run:

Mitigation (Trinh et al. 2022: variance over regions -7.9 %, worst region -3.2 %, overall -1.3 %, all relative). A
method reproduces it where, on held-out talkers, the variance over the regions falls in every seed and by 7.9 % in
the mean over seeds, and the mean WER over the regions does not rise in the mean over seeds. "partly": the variance
falls in the mean, and the mean WER does not rise. "not": all else.

Discovery (Dheram et al. 2022: by ZIP code and census a gap of 41.7 %, bottom part 0.8 % of the data; by clusters of
voices 65.0 % and 10.0 %). Reproduced where, among the same talkers (the simulated ones), the gap by clusters of
voices is at least that by place, in the mean over seeds, its bottom part has at least 5 % of the words, and its p is
below 0.05 in two thirds of the seeds. "partly": the last two hold. "not": all else. The accent, which was simulated,
is a tag that no real system has; it bounds what clusters can find. Among all talkers the clusters may be no more than
the corpora: the p with speakers exchanged only within test sets tells.

It prints a table for each question, and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssl_asr.adaptation.fairness_stage import EXTRACTOR
from ssl_asr.adaptation.found import read_found
from ssl_asr.adaptation.measures import ADAPTED, MAXIMUM, MEAN, OTHERS, OVERALL, VARIANCE
from ssl_asr.adaptation.results import AdaptResults
from ssl_asr.cli import commands
from ssl_asr.corpus.open_speech.accents import CORPUS
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.measures import Settings
from ssl_asr.fairness.run_table import table_of_run
from ssl_asr.fairness.scored_table import ScoredTable
from ssl_asr.models.systems import STUDENT
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe

METHODS = "fairness.methods=[finetune, ewc, average, replay]"
FALL, SHARE, LEVEL = 0.079, 0.05, 0.05  # the criteria
FIGURES = (ADAPTED, OTHERS, OVERALL, MEAN, MAXIMUM, VARIANCE)
VOICES = f"voices:{EXTRACTOR}"
# By the talkers that are compared: how they are divided.
WAYS = {"simulated": ("geo", "tag:accent", VOICES), "all": ("tag:corpus", VOICES)}


@dataclass(frozen=True)
class Discovered:
    """A gap is relative, 0.4 is 40 %; `share` is the bottom part's of the words. None where it can't be told."""

    gap: float
    share: float
    p: float
    p_within_sets: float | None


Changes = Mapping[str, float]  # relative changes by figure: -0.1 is a tenth less


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=Path("runs/fairness"), help="of the runs (runs/fairness)")
    options = parser.parse_args()
    adapted: dict[str, list[Changes]] = {}
    found: dict[str, list[Discovered]] = {}
    try:
        for seed in options.seeds:
            run = str(options.folder / f"fairness-demo-{seed}")
            recipe = open_recipe("fairness-demo", [METHODS, *options.overrides, f"run={run}", f"seed={seed}"])
            commands.run_all(recipe)
            for each in read_found(recipe).adapted:
                adapted.setdefault(each.method, []).append(relative_changes(each))
            for name, one in discoveries(recipe):
                found.setdefault(name, []).append(one)
    except ValueError as error:
        sys.exit(f"cohorts: {error}")
    print(f"\n{len(options.seeds)} seeds; means over them, and the least and the largest")
    verdicts = show_mitigation(adapted) | show_discovery(found)
    print(json.dumps({"mitigation": mean_changes(adapted), "discovery": mean_gaps(found), "verdicts": verdicts}))


def relative_changes(results: AdaptResults) -> Changes:
    """Of the held-out half of the test talkers."""
    by_name = {each.name: each for each in results.changes}
    pairs = {name: (by_name[name].before, by_name[name].after) for name in FIGURES}
    return {name: after / before - 1 if before else 0.0 for name, (before, after) in pairs.items()}


def discoveries(recipe: Recipe) -> Iterable[tuple[str, Discovered]]:
    settings = Settings(Least(recipe.fairness.least_words, recipe.fairness.least_speakers), recipe.seed)
    everybody = table_of_run(recipe, STUDENT)
    simulated = [each for each in everybody.utterances if each.scored.set == CORPUS]
    tables = {"simulated": ScoredTable(everybody.source, STUDENT, simulated), "all": everybody}
    for talkers, ways in WAYS.items():
        for by in ways:
            try:
                results = find_cohorts(tables[talkers], by, settings)
            except ValueError as error:  # of one seed, it must not cost the others
                print(f"{talkers} by {by}: {error}", file=sys.stderr)
                continue
            gap = math.inf if results.gap.value is None else results.gap.value
            p = (results.gap.p, results.gap.p_within_channels)
            yield f"{talkers} by {by}", Discovered(gap, results.bottom.share_of_words, *p)


def mitigation_verdict(changes: Sequence[Changes]) -> str:
    variances = [each[VARIANCE] for each in changes]
    if statistics.fmean(each[MEAN] for each in changes) > 0 or statistics.fmean(variances) >= 0:
        return "not"
    return "reproduced" if max(variances) < 0 and statistics.fmean(variances) <= -FALL else "partly"


def discovery_verdict(places: Sequence[Discovered], voices: Sequence[Discovered]) -> str:
    if not places or not voices:
        return "can't tell"
    sure = sum(each.p < LEVEL for each in voices) >= 2 * len(voices) / 3
    if not sure or statistics.fmean(each.share for each in voices) < SHARE:
        return "not"
    gaps = [statistics.fmean(each.gap for each in found) for found in (places, voices)]
    return "reproduced" if gaps[1] >= gaps[0] else "partly"


def show_mitigation(adapted: Mapping[str, Sequence[Changes]]) -> dict[str, str]:
    print("\nrelative change, %, on held-out talkers of the simulated regions")
    print(f"{'method':<10}" + "".join(f"{name:>24}" for name in FIGURES) + "  verdict")
    verdicts = {}
    for method, changes in adapted.items():
        verdicts[method] = mitigation_verdict(changes)
        cells = "".join(f"{_range([100 * each[name] for each in changes]):>24}" for name in FIGURES)
        print(f"{method:<10}{cells}  {verdicts[method]}")
    return verdicts


def show_discovery(found: Mapping[str, Sequence[Discovered]]) -> dict[str, str]:
    verdict = discovery_verdict(found.get("simulated by geo", []), found.get(f"simulated by {VOICES}", []))
    print(f"\n{'talkers, cohorts':<32}{'gap %':>24}{'bottom % of words':>24}{'p':>24}{'p within test sets':>24}")
    for name, each in found.items():
        within = [one.p_within_sets for one in each if one.p_within_sets is not None]
        cells = (
            _range([100 * one.gap for one in each]),
            _range([100 * one.share for one in each]),
            _range([one.p for one in each], 3),
            _range(within, 3) if within else "-",
        )
        print(f"{name:<32}" + "".join(f"{cell:>24}" for cell in cells))
    print(f"clusters of voices beside places: {verdict}")
    return {"discovery": verdict}


def mean_changes(adapted: Mapping[str, Sequence[Changes]]) -> Mapping[str, Changes]:
    """In percent."""
    return {
        method: {name: round(100 * statistics.fmean(each[name] for each in changes), 2) for name in FIGURES}
        for method, changes in adapted.items()
    }


def mean_gaps(found: Mapping[str, Sequence[Discovered]]) -> Mapping[str, Mapping[str, float]]:
    """In percent; a gap is left out where the top part of a seed had no error."""
    told: dict[str, dict[str, float]] = {}
    for name, each in found.items():
        means = {figure: statistics.fmean(getattr(one, figure) for one in each) for figure in ("gap", "share")}
        told[name] = {figure: round(100 * mean, 2) for figure, mean in means.items() if mean < math.inf}
    return told


def _range(values: Sequence[float], digits: int = 1) -> str:
    mean, low, high = statistics.fmean(values), min(values), max(values)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
