"""Adversarial reweighting for speaker verification: `python -m jobs.bench.reweighting [--seeds 1 2 3]`.

The question is that of Jin et al. 2022: does an adversary that knows no groups lower the equal error rate (EER), the
gap between groups and the deviation over groups? They found EER -7.6 %, gap between genders -17 %, deviation over
countries -10 %, all relative, and the form "pairs" the best.

Groups are the six simulated accents of open speech, in training and in trials. Their talkers do not exist: each is a
synthetic voice at a pitch and a tempo. Recorded talkers, who have no accent, are left out of both. In trials an
impostor among them is known by the recording, or may be the same actor in another role. In training they would have
to be a group too, as group-DRO gives no weight to talkers without one; and it may then heed these actors alone. Each
seed draws its training talkers: many of some accents, few of others (`TALKERS`). Those of test are the same for all.
An accent with less than five talkers or 30 true claims in the trials is no group, and is told; its talkers count in
the EER.

For each seed five extractors are trained alike, with the loss over pairs: with equal weights ("none"), by group-DRO
with the true groups ("groups"), and by an adversary in three forms ("similarity", "clusters", "pairs"). Equal weights
are the baseline, group-DRO the control. It tells whether speech of this size can show anything at all.

Criterion, written before the first run. A change "falls" where it is below zero in each of three seeds, and the 95 %
interval of its mean over seeds lies below zero, with talkers drawn within their accents; it "rises" likewise.
There is a gap where its p with equal weights, by shuffles of the accents over talkers, is below 0.05 in two of the
three seeds.
- "not": the EER rises. Or there is a gap, and it rises. Or there is one, the control lowers it, and the form does
  not lower both EER and gap in the mean over seeds.
- "reproduced": there is a gap, it falls, and EER and deviation are lower in the mean over seeds.
- "can't tell": all else. So it is where there is no gap to lower, and with less than three seeds.
The verdict on the question is that on "pairs"; the others stand beside it. Sizes are compared by eye: changes of an
EER of some per cent between gaps of some points are no measure of theirs on VoxCeleb, of 1.08 %.

All is kept below --folder: the speech (`speech`, a run), its extractors, and `seed-N.json` after each extractor. The
same command goes on where one was stopped. It prints a table, and one JSON object as the last line: by seed EER, gap,
deviation, their p and the EER of each accent, the changes, the verdicts, and the published figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from jobs.bench.accent_trials import FIGURES, TAG, Verified, accents_in, verified
from jobs.bench.reweighting_verdict import Change, changes, verdict_of
from ssl_asr.cli import commands
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.speakers.embedders import embed_splits, embedder_of
from ssl_asr.speakers.extracting import train_extractor
from ssl_asr.speakers.pool import PoolSettings
from ssl_asr.speakers.settings import Reweighting, TrainingSettings
from ssl_asr.store.speaker_embeddings import all_speaker_embeddings
from ssl_asr.training.data.sources import seed_of

NONE, GROUPS = "none", "groups"
SPLITS = ("labeled", "unlabeled")
SPEECH = ["corpus.unlabeled_minutes=null", "corpus.test_minutes=30"]  # all of the talkers with accents
TALKERS = {"american": 8, "british": 8, "german": 4, "french": 4, "spanish": 2, "italian": 2}  # trained on
PUBLISHED = {  # percent on VoxCeleb; what was before follows from the relative changes
    "relative": {"eer": -7.6, "gap": -17.0, "deviation": -10.0},
    "before": {"eer": 1.17, "gap": 0.70, "deviation": 0.21},
    "after": {"eer": 1.08, "gap": 0.58, "deviation": 0.19},
}
Found = Mapping[str, Mapping[int, Verified]]  # by weights and seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--folder", type=Path, default=Path("runs/reweighting"), help="(runs/reweighting)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=1000, help="of each training (1000)")
    options = parser.parse_args()
    found: defaultdict[str, dict[int, Verified]] = defaultdict(dict)
    try:
        recipe = speech_in(options.folder / "speech", options.overrides)
        for seed in options.seeds:
            for weights in get_args(Reweighting):
                found[weights][seed] = look(recipe, weights, options.steps, seed)
                write_seed(options.folder, seed, found)
    except ValueError as error:
        sys.exit(f"reweighting: {error}")
    print(json.dumps(show(found, options.seeds), allow_nan=False))


def speech_in(run: Path, overrides: Sequence[str]) -> Recipe:
    """The run with the features; what is there is kept."""
    recipe = open_recipe("fairness-demo", [*SPEECH, *overrides, f"run={run}"])
    for stage in ("corpus", "frontend"):
        commands.run_one(stage, recipe)
    return recipe


def look(recipe: Recipe, weights: Reweighting, steps: int, seed: int) -> Verified:
    """Of an extractor that is trained first, where it is not there."""
    name = f"{weights}-{seed}"
    settings = TrainingSettings(loss="pairs", reweighting=weights, steps=steps, pretrain_steps=steps // 4, seed=seed)
    heard = accents_in(recipe.run, SPLITS)
    pooled = PoolSettings(SPLITS, group_tag=TAG, speakers=chosen(heard, seed), seed=seed)
    train_extractor(recipe, name, pooled, settings)
    embed_splits(recipe.run, name, embedder_of(recipe, name), ["test"])
    embeddings = all_speaker_embeddings(recipe.run, name, "test")
    if embeddings is None:
        raise ValueError(f"no test utterance of {recipe.run} is long enough for an embedding")
    tested = {name: accent for name, accent in accents_in(recipe.run, ["test"]).items() if name not in heard}
    return verified(embeddings, tested, Draws(recipe.evaluate.bootstrap, 1))


def chosen(accents: Mapping[str, str], seed: int) -> list[str]:
    """Whom a seed trains on. ValueError where an accent has less talkers than wanted."""
    found: list[str] = []
    for name, count in TALKERS.items():
        talkers = sorted(each for each, accent in accents.items() if accent == name)
        if len(talkers) < count:
            raise ValueError(
                f"{len(talkers)} talkers of the accent '{name}' have training speech; {count} are wanted"
            )
        found += sorted(talkers, key=lambda each: seed_of(seed, "talker", each))[:count]
    return sorted(found)


def write_seed(folder: Path, seed: int, found: Found) -> None:
    """What is known of the seed so far."""
    told = {"seed": seed, "weights": _by_weights(found, seed), "published": PUBLISHED}
    (folder / f"seed-{seed}.json").write_text(json.dumps(told, indent=1, allow_nan=False) + "\n")


def _by_weights(found: Found, seed: int) -> dict[str, object]:
    """In percent, but for p."""
    return {weights: _told(seeds[seed]) for weights, seeds in found.items() if seed in seeds}


def _told(one: Verified) -> dict[str, object]:
    percents = {name: _percent(getattr(one.rates, name)) for name in FIGURES}
    accents = {name: _percent(rate) for name, rate in one.rates.accents.items()}
    return {**asdict(one.rates), **percents, "accents": accents, "dropped": dict(one.dropped)}


def show(found: Found, seeds: Sequence[int]) -> dict[str, object]:
    """The table, and all of it for a program."""
    ordered = {weights: [each[seed] for seed in seeds] for weights, each in found.items()}
    plain = ordered[NONE]
    changed = {weights: changes(each, plain) for weights, each in ordered.items() if weights != NONE}
    p = [each.rates.p for each in plain]
    forms = {weights: each for weights, each in changed.items() if weights != GROUPS}
    verdicts = {weights: verdict_of(each, changed[GROUPS]["gap"], p) for weights, each in forms.items()}
    print(f"{len(seeds)} seeds; with equal weights p of the gap is {', '.join(f'{each:.3f}' for each in p)}")
    print("".join(f"accent dropped: {name}, {why}\n" for name, why in plain[0].dropped.items()), end="")
    print(f"{'weights':<12}{'EER':>30}{'gap':>30}{'deviation':>30}  verdict")
    for weights, each in ordered.items():
        cells = (_cell(each, name, changed.get(weights, {}).get(name)) for name in FIGURES)
        print(f"{weights:<12}" + "".join(f"{cell:>30}" for cell in cells) + f"  {verdicts.get(weights, '')}".rstrip())
    print("percent; in brackets points more than with equal weights, and their 95 % interval over talkers")
    return {
        "seeds": {str(seed): _by_weights(found, seed) for seed in seeds},
        "changes": {weights: {name: _change(one) for name, one in each.items()} for weights, each in changed.items()},
        "published": PUBLISHED,
        "verdicts": verdicts,
    }


def _cell(each: Sequence[Verified], name: str, change: Change | None) -> str:
    mean = f"{100 * sum(getattr(one.rates, name) for one in each) / len(each):.1f}"
    if change is None:
        return mean
    limits = (
        "" if change.interval is None else " [{:+.1f}, {:+.1f}]".format(*(100 * each for each in change.interval))
    )
    return f"{mean} ({100 * change.mean:+.1f}{limits})"


def _change(change: Change) -> dict[str, object]:
    return {
        "points": _percent(change.mean),
        "by seed": [_percent(each) for each in change.seeds],
        "interval": change.interval and [_percent(limit) for limit in change.interval],
        "relative": _percent(change.relative),
        "falls": change.fell,
        "rises": change.rose,
    }


def _percent(share: float) -> float:
    return round(100 * share, 2)


if __name__ == "__main__":
    main()
