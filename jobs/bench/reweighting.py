"""Adversarial reweighting for speaker verification: `python -m jobs.bench.reweighting RUN [--seeds 1 2 3]`.

RUN is a finished run with features, such as one of `fairness-demo`. The groups are the values of the tag --groups. By
default that is `corpus`: every utterance has it, and in training one group has dozens of talkers, another a single
one. They are also recorded differently, so part of a gap is that of the channel. Of `accent`, which recorded talkers
lack, the control would hear the simulated talkers alone.

For each seed five extractors are trained alike, with the loss over pairs: with equal weights ("none"), by group-DRO
with the true groups ("groups"), and by an adversary that knows none, in three forms ("similarity", "clusters",
"pairs"). An extractor that is there is not trained again. Test speakers are then verified.

Criterion, written before the first run, after Jin et al. 2022 (EER -7.6 %, gap between genders -17 %, deviation over
countries -10 %, all relative): a form reproduces it where EER, gap and deviation are all below those of "none" in the
mean over seeds, and the gap by more than two standard errors of the differences seed by seed. "partly": EER and gap
are both below in the mean. "not": all else. Where not even "groups" lowers the gap by more than two standard errors,
data of this size can't show it, and what is not reproduced is "can't tell".

It prints a table, and one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.speakers.embedders import embed_splits, embedder_of
from ssl_asr.speakers.extracting import train_extractor
from ssl_asr.speakers.pool import PoolSettings
from ssl_asr.speakers.settings import Reweighting, TrainingSettings
from ssl_asr.speakers.trials import TrialSettings
from ssl_asr.speakers.verified_run import verify_speakers

NONE, GROUPS = "none", "groups"


@dataclass(frozen=True)
class Rates:
    """Equal error rate of all trials, the gap between groups, the deviation of their rates. Shares: 0.1 is 10 %."""

    eer: float
    gap: float
    deviation: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--groups", default="corpus", metavar="TAG", help="(default: corpus)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=600, help="of each training (default: 600)")
    options = parser.parse_args()
    found: dict[Reweighting, list[Rates]] = {}
    try:
        recipe = open_recipe(options.run)
        for seed in options.seeds:
            for reweighting in get_args(Reweighting):
                rates = measured(recipe, options.groups, reweighting, options.steps, seed)
                found.setdefault(reweighting, []).append(rates)
    except ValueError as error:
        sys.exit(f"reweighting: {error}")
    print(f"verification of test speakers of {options.run}, by {options.groups}; {len(options.seeds)} seeds")
    print(json.dumps(show(found)))


def measured(recipe: Recipe, tag: str, reweighting: Reweighting, steps: int, seed: int) -> Rates:
    """ValueError where the run has no two groups of test speakers who were not trained on."""
    name = f"bench-{reweighting}-{seed}"
    settings = TrainingSettings(
        loss="pairs", reweighting=reweighting, steps=steps, pretrain_steps=steps // 4, seed=seed
    )
    pooled = PoolSettings(group_tag=tag if reweighting == GROUPS else None, seed=seed)
    train_extractor(recipe, name, pooled, settings)
    embed_splits(recipe.run, name, embedder_of(recipe, name), ["test"])
    results = verify_speakers(recipe, name, tag, TrialSettings(seed=1)).results  # the same trials for all
    if results.disparity is None:
        raise ValueError(f"the tag '{tag}' makes no two groups of the test speakers; name another with --groups")
    return Rates(results.everything.eer, results.disparity.gap, results.disparity.deviation)


def differences(found: Sequence[Rates], plain: Sequence[Rates], figure: str) -> list[float]:
    """Seed by seed."""
    return [getattr(each, figure) - getattr(other, figure) for each, other in zip(found, plain, strict=True)]


def is_clear(values: Sequence[float]) -> bool:
    """Whether the mean is below zero by more than two standard errors; of one seed it never is."""
    if len(values) < 2:
        return False
    return statistics.fmean(values) < -2 * statistics.stdev(values) / len(values) ** 0.5


def verdict_of(found: Sequence[Rates], plain: Sequence[Rates], can_show: bool) -> str:
    eer, gap, deviation = (differences(found, plain, figure) for figure in ("eer", "gap", "deviation"))
    means = [statistics.fmean(each) for each in (eer, gap, deviation)]
    if max(means) < 0 and is_clear(gap):
        return "reproduced"
    if not can_show:
        return "can't tell"
    return "partly" if max(means[:2]) < 0 else "not"


def show(found: Mapping[Reweighting, Sequence[Rates]]) -> dict[str, dict[str, float | str]]:
    plain = found["none"]
    can_show = is_clear(differences(found["groups"], plain, "gap"))
    print(f"{'weights':<12}{'EER %':>22}{'gap, points':>22}{'deviation, points':>22}  verdict")
    told: dict[str, dict[str, float | str]] = {}
    for name, each in found.items():
        verdict = "" if name == NONE else verdict_of(each, plain, can_show)
        means = {figure: 100 * statistics.fmean(getattr(one, figure) for one in each) for figure in vars(each[0])}
        texts = [_with_difference(each, plain, figure) for figure in means]
        print(f"{name:<12}{texts[0]:>22}{texts[1]:>22}{texts[2]:>22}  {verdict}")
        told[name] = {**{figure: round(mean, 2) for figure, mean in means.items()}, "verdict": verdict}
    print("in brackets: the mean difference to equal weights, and its standard error")
    return told


def _with_difference(found: Sequence[Rates], plain: Sequence[Rates], figure: str) -> str:
    mean = 100 * statistics.fmean(getattr(each, figure) for each in found)
    values = [100 * each for each in differences(found, plain, figure)]
    if not any(values):
        return f"{mean:.1f}"
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{mean:.1f} ({statistics.fmean(values):+.1f} +- {error:.1f})"


if __name__ == "__main__":
    main()
