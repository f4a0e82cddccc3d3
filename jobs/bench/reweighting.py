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
same command goes on where one was stopped; a seed's file that says the same already, or more, stays as it is. It
prints a table, and one JSON object as the last line: by seed EER, gap, deviation, their p and the EER of each accent,
the changes, the verdicts, and the published figures. --results DIR makes a page there, and lines of the table of all
results, as `ssl-asr experiment -o` does.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import get_args

from jobs.bench.accent_trials import TAG, Verified, accents_in, verified
from jobs.bench.reweighting_results import PUBLISHED, Found, as_json, results_of, sheet_of, table_of, told
from ssl_asr.cli import commands
from ssl_asr.cli.provenance import provenance_of
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.recipe import Recipe
from ssl_asr.report.studies.pages import kept_results, write_sheet
from ssl_asr.runtime import cluster
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.speakers.embedders import embed_splits, embedder_of
from ssl_asr.speakers.extracting import train_extractor
from ssl_asr.speakers.pool import PoolSettings
from ssl_asr.speakers.settings import Reweighting, TrainingSettings
from ssl_asr.store import filesystem
from ssl_asr.store.speaker_embeddings import all_speaker_embeddings
from ssl_asr.studies.places import matter
from ssl_asr.training.data.sources import seed_of

CRITERION = __doc__.split("\n\n")[4].replace("Criterion, written", "Written", 1)
SPLITS = ("labeled", "unlabeled")
SPEECH = ["corpus.unlabeled_minutes=null", "corpus.test_minutes=30"]  # all of the talkers with accents
TALKERS = {"american": 8, "british": 8, "german": 4, "french": 4, "spanish": 2, "italian": 2}  # trained on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--folder", type=Path, default=Path("runs/reweighting"), help="(runs/reweighting)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--results", metavar="DIR", help="of the page and the table of all results")
    parser.add_argument("--steps", type=int, default=1000, help="of each training (1000)")
    options = parser.parse_args()
    found: defaultdict[str, dict[int, Verified]] = defaultdict(dict)
    try:
        if options.results:
            kept_results(options.results)
        recipe = speech_in(options.folder / "speech", options.overrides)
        with cluster.joined():
            for seed, weights in product(options.seeds, get_args(Reweighting)):
                found[weights][seed] = look(recipe, weights, options.steps, seed)
                write_seed(options.folder, seed, found)
    except ValueError as error:
        sys.exit(f"reweighting: {error}")
    results = results_of(found, options.seeds)
    table = table_of(results)
    print(f"\n{table}")
    if options.results:
        made = provenance_of(_command(options), 0.0)  # what goes on does not know how long the one before took
        print(write_sheet(options.results, sheet_of(results, CRITERION, table, made)))
    print(json.dumps(as_json(results), allow_nan=False))


def _command(options: argparse.Namespace) -> str:
    """With all that the figures depend on."""
    said = [*matter(options.overrides), "--steps", str(options.steps), "--seeds", *map(str, options.seeds)]
    return shlex.join(["python", "-m", "jobs.bench.reweighting", *said])


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
    """What is known of the seed so far; a file that says this, and perhaps more, is left as it is."""
    by_weights = {weights: told(seeds[seed]) for weights, seeds in found.items() if seed in seeds}
    path = folder / f"seed-{seed}.json"
    before = json.loads(path.read_text())["weights"] if path.exists() else {}
    if all(before.get(weights) == each for weights, each in by_weights.items()):
        return
    kept = {"seed": seed, "weights": by_weights, "published": PUBLISHED}
    filesystem.write_bytes(str(path), (json.dumps(kept, indent=1, allow_nan=False) + "\n").encode())


if __name__ == "__main__":
    main()
