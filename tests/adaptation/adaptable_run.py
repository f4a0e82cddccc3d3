"""A finished small run whose speakers are of the north or of the south, and the cohorts that were found in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.transcripts import write_transcripts
from ssl_asr.fairness.cohort_file import write_cohorts
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.measures import Settings
from ssl_asr.fairness.run_table import table_of_run
from ssl_asr.recipe import Recipe, parse_recipe
from ssl_asr.store.results_layout import cohorts_folder
from tests.finished_run import RATE, SECONDS, finish_run, small_recipe
from tests.in_process import placed_here

REGIONS = ("north", "south")
SPEAKERS = {"labeled": 2, "unlabeled": 3, "dev": 2, "test": 6}  # of each region
TEXT = "a cat sat to two cats"


def adaptable(folder: Path, student: Mapping[str, object] | None = None) -> Recipe:
    """The student's passes are few, and each method tries two strengths at most; `student` is more of its recipe."""
    recipe = small_recipe(folder)
    for split, count in SPEAKERS.items():
        _write(folder / "speech", split, [f"{region}-{number}" for number in range(count) for region in REGIONS])
    adapt = {"passes": 2, "lambdas": [0, 10], "averages": [0.5], "replay_shares": [0.5], "repeats": [2]}
    adapt |= {"l2sp_lambdas": [1], "embedding_dimensions": [2], "fisher_utterances": 5}
    values = recipe.model_dump(mode="json") | {"adapt": adapt}
    values["student"] |= {"sub_epochs": 2, "whole_sub_epochs": 1, **(student or {})}
    values["evaluate"] |= {"bootstrap": 50, "lm_order": 2}
    values["corpus"] |= {"test_conditions": ["clean"]}
    recipe = parse_recipe(values)
    finish_run(recipe)
    _find(recipe)
    return recipe


@contextmanager
def copied(made: Recipe, folder: Path) -> Iterator[Recipe]:
    """A copy of the run in `folder`, whose stages work in this process."""
    shutil.copytree(made.run, folder / "run")
    with placed_here():
        yield made.model_copy(update={"run": str(folder / "run")})


def _write(folder: Path, split: str, speakers: Sequence[str]) -> None:
    rows = []
    for name in speakers:
        file = folder / f"{split}-{name}.wav"
        noise = np.random.default_rng([*f"{split}{name}".encode()]).normal(0, 0.1, round(SECONDS * RATE))
        soundfile.write(file, noise, RATE)
        region = name.partition("-")[0]
        row = {"audio_filepath": file.name, "text": TEXT, "speaker": f"{split}-{name}", "tags": {"region": region}}
        rows.append(json.dumps(row))
    (folder / f"{split}.jsonl").write_text("\n".join(rows) + "\n")


def _find(recipe: Recipe) -> None:
    """Of hypotheses without a word of the south."""
    said = references(recipe, "test")
    words = {name: () if each.tags["region"] == "south" else ("a", "cat", "sat") for name, each in said.items()}
    slab = DecodedSlab({}, 0.0, tuple(Hypothesis(name, found, 0, 0, 0) for name, found in words.items()))
    write_transcripts(recipe.run, "student", [slab], said)
    settings = Settings(Least(1, 2), replicates=20, shuffles=19, searches=9)
    found = find_cohorts(table_of_run(recipe, "student"), "tag:region", settings)
    write_cohorts(cohorts_folder(recipe.run), found)
