"""Names of runs, and what a run starts from."""

from __future__ import annotations

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import todos
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import recipe_uri
from ssl_asr.store.results_layout import results_uri
from ssl_asr.studies.places import run_name, start_from


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "demo-3"),
        (["corpus.cache=/somewhere", "cluster.workers=4", "run=x"], "demo-3"),
        (["student.order=segregated"], "demo-3-student.order=segregated"),
        (["b=2", "a=1"], "demo-3-a=1,b=2"),
        (["a=1", "b=2", "a=3"], "demo-3-a=3,b=2"),
    ],
)
def test_a_run_is_named_by_what_it_makes(overrides: list[str], name: str) -> None:
    assert run_name("demo", 3, overrides) == name


def test_names_that_had_to_be_changed_are_told_apart() -> None:
    names = {run_name("demo", 1, [f"corpus.test=nemo:s3://bucket/{letter}*.jsonl"]) for letter in "?*["}
    assert len(names) == 3
    assert all("/" not in name for name in names)
    assert len(run_name("demo", 1, ["a=" + "x" * 300])) < 120
    assert run_name("recipes/mine.yaml", 1, []) == "mine-1"


def test_a_run_starts_from_what_another_has_made(finished_run: Recipe, tmp_path) -> None:
    other = str(tmp_path / "other")
    start_from(other, finished_run.run)
    recipe = open_recipe(other)
    assert recipe.run == other
    assert not filesystem.exists(results_uri(other)), "results are made again"
    assert {todo.stage for todo in todos(recipe)} == {"evaluate", "report"}


def test_a_copy_that_was_stopped_is_made_again_and_a_run_is_left_alone(finished_run: Recipe, tmp_path) -> None:
    other = str(tmp_path / "other")
    start_from(other, finished_run.run)
    filesystem.delete(recipe_uri(other))
    filesystem.write_bytes(filesystem.join(other, "format.txt"), b"half")
    start_from(other, finished_run.run)
    assert filesystem.read_bytes(filesystem.join(other, "format.txt")) != b"half"
    filesystem.write_bytes(filesystem.join(other, "format.txt"), b"mine")
    start_from(other, finished_run.run)
    assert filesystem.read_bytes(filesystem.join(other, "format.txt")) == b"mine"
    start_from(str(tmp_path / "new"), str(tmp_path / "none"))
    assert not (tmp_path / "new").exists()
