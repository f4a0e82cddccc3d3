"""The realign stage on a small run, without Ray."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.frontend.stage import run_frontend
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.stage import run_hmm
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import todo_of, todos
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.store import alignments, features
from ssl_asr.store.layout import model_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.realign import run_realign
from tests.finished_run import contents, small_recipe
from tests.in_process import placed_here

SMALL = [
    "hmm.realign=2",
    "hmm.senones=12",
    "hmm.flat_start_iterations=2",
    "hmm.min_frames_per_senone=3",
    "teacher.labeled_passes=1",
    "teacher.whole_passes=0",
    "cluster.train_workers=[1, 1]",
]


@pytest.fixture(scope="module")
def realigned(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("realigned")
    recipe = small_recipe(folder)
    save_recipe(recipe)
    recipe = open_recipe(recipe.run, SMALL)
    save_recipe(recipe)
    with placed_here():
        for stage in (run_corpus, run_frontend, run_hmm, run_realign):
            stage(recipe)
    return recipe


@pytest.fixture
def own(realigned: Recipe, tmp_path: Path) -> Iterator[Recipe]:
    """A copy that may be changed."""
    shutil.copytree(realigned.run, tmp_path / "run")
    with placed_here():
        yield realigned.model_copy(update={"run": str(tmp_path / "run")})


def labels(recipe: Recipe, alignment_set: str, split: str = "labeled") -> dict[str, np.ndarray]:
    store = ShardStore(recipe.run, alignments.store_name(alignment_set))
    return {
        name: senones
        for shard in store.shards(split)
        for name, senones in alignments.decode(store.read(shard)).items()
    }


def test_the_last_round_names_the_alignments_that_all_else_uses(realigned: Recipe) -> None:
    senones = load_senones(realigned.run)
    assert senones.alignment_set == f"{senones.id}-{senones.realigned_by}"
    found = labels(realigned, senones.alignment_set)
    lengths = {
        row.id: len(row.frames)
        for shard in ShardStore(realigned.run, features.STORE).shards("labeled")
        for row in features.decode(ShardStore(realigned.run, features.STORE).read(shard), realigned.frontend.mel_bins)
    }
    assert {name: len(row) for name, row in found.items()} == lengths
    counts = sum(np.bincount(stack_labels(row), minlength=senones.size) for row in found.values())
    np.testing.assert_array_equal(senones.counts, counts)
    assert labels(realigned, senones.alignment_set, "dev").keys() == labels(realigned, senones.id, "dev").keys()
    sets = {path.name for path in (Path(realigned.run) / "alignments").iterdir()}
    assert len(sets) == 3  # of the flat start and of two networks


def test_nothing_is_made_twice(own: Recipe) -> None:
    before = contents(own.run)
    assert todo_of("realign", own) == []
    report = run_realign(own)
    assert report.pieces == report.skipped > 2
    after = contents(own.run)
    assert {name for name in before if before[name] != after.get(name)} == {
        "stages/realign.json",
        "rejects/realign.jsonl",
    }


def test_a_lost_shard_and_a_lost_network_are_made_again(own: Recipe) -> None:
    before = contents(own.run)
    last = load_senones(own.run).alignment_set
    store = ShardStore(own.run, alignments.store_name(last))
    shard = store.shards("labeled")[0]
    Path(store.uri(shard)).unlink()
    assert [todo.product for todo in todo_of("realign", own)] == ["alignments/labeled", "senone set"]
    run_realign(own)
    Path(model_uri(own.run, "aligner-2")).unlink()
    assert todo_of("realign", own)[0].product == "aligner-2"
    run_realign(own)
    same = {name: data for name, (_, data) in contents(own.run).items() if name.startswith(("alignments", "hmm"))}
    assert same == {name: data for name, (_, data) in before.items() if name.startswith(("alignments", "hmm"))}


def test_without_it_the_flat_start_s_alignments_are_back(own: Recipe) -> None:
    plain = open_recipe(own.run, ["hmm.realign=0"])
    assert next((todo.stage, todo.product) for todo in todos(plain)) == ("hmm", "senone set")
    run_hmm(plain)
    assert load_senones(own.run).realigned_by == ""
    again = open_recipe(own.run, ["hmm.realign=1"])
    found = [(todo.stage, todo.product) for todo in todos(again)]
    assert found[0] == ("realign", "senone set")
    assert ("teacher", "teacher") in found
