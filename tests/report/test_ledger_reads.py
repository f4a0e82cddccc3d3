"""With an index of the ledger, nothing reads its entries one by one: there may be half a million."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ssl_asr.frontend.statistics import global_statistics
from ssl_asr.planning.compute import devices_of
from ssl_asr.planning.measured import known
from ssl_asr.planning.question import Question
from ssl_asr.recipe import Recipe
from ssl_asr.report.evidence import gather
from ssl_asr.report.rejects import each_reject
from ssl_asr.report.status import statuses
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import features, filesystem
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.training.data.selection import selection_of
from ssl_asr.training.data.sources import source_of
from tests.report.example_run import example_recipe, fill, target_store

# What planning asks of these stages.
FIGURES = {"hmm": {"senone_set": "0123"}, "evaluate": {"decoding_x_real_time": 40.0}}
REJECT = Reject("dev-0", "empty")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    recipe = example_recipe(tmp_path_factory.mktemp("run"))
    fill(recipe)
    save_recipe(recipe)
    for stage, figures in FIGURES.items():
        StageClock(recipe, stage, "key").finish(1, 0, figures=figures)
    store = ShardStore(recipe.run, features.STORE)
    sums = {"count": 50, "sum": [1.0, 2.0], "square_sum": [3.0, 4.0]}
    said = {"parents": {}, "metadata": {}, "statistics": sums}
    for split in ("labeled", "unlabeled"):
        store.publish(Shard(split, 99), features.SCHEMA, [], [], seconds=0.5, **said)
    store.publish(Shard("dev", 1), features.SCHEMA, [], [], seconds=1, parents={}, metadata={}, rejects=[REJECT])
    past = time.time() - 100  # younger entries are not kept in an index
    for path in Path(recipe.run, "ledger").rglob("*.json"):
        os.utime(path, (past, past))
    return recipe


@pytest.fixture
def opened(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ledger entries that are read."""
    uris: list[str] = []
    read_bytes = filesystem.read_bytes

    def reading(uri: str) -> bytes:
        if uri.startswith(f"{recipe.run}/ledger/"):
            uris.append(uri)
        return read_bytes(uri)

    monkeypatch.setattr(filesystem, "read_bytes", reading)
    return uris


def select(recipe: Recipe) -> object:
    student = recipe.student.model_copy(update={"selection": "uniform-confidence", "selected_share": 0.5})
    set_id = target_store(recipe).name.removeprefix("targets/")
    return selection_of(recipe.model_copy(update={"student": student}), set_id)


READERS = {
    "status": statuses,
    "report": gather,
    "plan": lambda recipe: known(recipe, Question(), devices_of(recipe, Question())),
    "global statistics": lambda recipe: global_statistics(recipe.run),
    "training's slabs": lambda recipe: list(
        source_of("labeled", "labeled", ShardStore(recipe.run, features.STORE).index("labeled"), 0)
    ),
    "selection": select,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_with_a_warm_index_no_entry_is_opened(
    recipe: Recipe, opened: list[str], reader: Callable[[Recipe], object]
) -> None:
    reader(recipe)
    with_rejects = {ShardStore(recipe.run, features.STORE).ledger_uri(Shard("dev", 1))}
    opened.clear()
    reader(recipe)
    assert set(opened) <= with_rejects, "only the report lists rejects"
    assert reader is gather or not opened


def test_failed_opens_the_entries_that_rejected_something(recipe: Recipe, opened: list[str]) -> None:
    list(each_reject(recipe))
    opened.clear()
    assert ("frontend", REJECT) in each_reject(recipe)
    assert opened == [ShardStore(recipe.run, features.STORE).ledger_uri(Shard("dev", 1))]
