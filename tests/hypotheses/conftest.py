"""A run whose features and networks are made by hand, with unlabeled speech of the toy language; made without Ray."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, filesystem, hypotheses, utterance
from ssl_asr.store.hypotheses import HypothesisRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.in_process import placed_here
from tests.toy_run import TEXT, Spoken, pronounced, publish, toy_recipe

SPLIT = "unlabeled"
CLEAN = [Spoken(f"rec{n}", text, pronounced(text)) for n, text in enumerate(TEXT)]
COPIES = [replace(each, id=f"{each.id}@room", condition="room", noise=1.0) for each in CLEAN]
ALONE = Spoken("alone@room", "a cat sat", pronounced("a cat sat"), "room", 0.5)
ODD = [
    Spoken("odd-nan", "a cat sat", pronounced("a cat sat"), noise=float("nan")),
    Spoken("odd-no-frame", "a cat", ""),
    Spoken("odd-silence", "", "SIL SIL SIL"),
]
SLABS = ([[*CLEAN[:3], *COPIES[:3]], CLEAN[3:]], [[ALONE, *ODD]])  # of two shards


def asking(recipe: Recipe, **values: object) -> Recipe:
    """The same with these values of its hypotheses."""
    return recipe.model_copy(update={"hypotheses": type(recipe.hypotheses)(**{"teacher": "student", **values})})


def tell_texts(run: str) -> None:
    """Say in the manifest's ledger how many texts a shard has, as the corpus stage does."""
    store = ShardStore(run, utterance.STORE)
    for entry in store.entries(SPLIT):
        told = replace(entry, statistics={**entry.statistics, "texts": float(entry.rows)})
        filesystem.write_bytes(store.ledger_uri(entry.shard), told.to_json())


@pytest.fixture(scope="session")
def unrecognised(unevaluated: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Nothing is recognised yet; not to be changed."""
    run = tmp_path_factory.mktemp("unrecognised") / "run"
    shutil.copytree(unevaluated, run)
    for number, slabs in enumerate(SLABS):
        publish(str(run), SPLIT, number, slabs, load_senones(str(run)).id)
    tell_texts(str(run))
    return asking(toy_recipe(run))


@pytest.fixture(scope="session")
def recognised(unrecognised: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The same after an unbroken stage; not to be changed."""
    recipe = copied(unrecognised, tmp_path_factory.mktemp("recognised") / "run")
    with placed_here():
        run_hypotheses(recipe)
    return recipe


@pytest.fixture
def own(unrecognised: Recipe, tmp_path: Path) -> Recipe:
    """A copy of the run before its hypotheses; a test may do to it what it likes."""
    return copied(unrecognised, tmp_path / "run")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A job sets the number of threads of its process, which is an actor's otherwise."""
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


def copied(recipe: Recipe, run: Path) -> Recipe:
    shutil.copytree(recipe.run, run)
    return recipe.model_copy(update={"run": str(run)})


def sources(recipe: Recipe) -> list[Shard]:
    return ShardStore(recipe.run, features.STORE).shards(SPLIT)


def rows_of(recipe: Recipe) -> list[HypothesisRow]:
    """All rows, in the order of the features."""
    made = hypothesis_set(recipe)
    return [
        row
        for entry in made.store.entries(SPLIT)
        for slab in range(len(entry.slabs))
        for row in hypotheses.read_hypotheses(recipe.run, made.id, entry.shard, slab)
    ]


def contents(recipe: Recipe) -> dict[str, bytes]:
    """Every file of the store and of its ledger."""
    name = hypothesis_set(recipe).store.name
    files = [file for part in (name, f"ledger/{name}") for file in Path(recipe.run, part).rglob("*")]
    return {str(file.relative_to(recipe.run)): file.read_bytes() for file in files if file.is_file()}


def texts(rows: Sequence[HypothesisRow]) -> dict[str, str]:
    return {row.id: row.text for row in rows}
