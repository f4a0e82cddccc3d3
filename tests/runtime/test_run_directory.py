"""A run keeps its recipe, goes where it is moved, and is refused where another version made it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ssl_asr.cli.main import REFUSED, main
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime.pipeline import todos
from ssl_asr.runtime.run_directory import check_format, open_recipe, save_recipe, start_from
from ssl_asr.store import filesystem
from ssl_asr.store.layout import FORMAT, format_uri, recipe_uri
from ssl_asr.store.results_layout import results_uri


@pytest.fixture
def run(tmp_path: Path) -> str:
    recipe = load_recipe("demo", [f"run={tmp_path}/run", "student.network.layers=4"])
    save_recipe(recipe)
    return recipe.run


def test_a_run_is_named_by_its_directory_or_by_the_recipe_in_it(run: str) -> None:
    recipe = open_recipe(run)
    assert (recipe.run, recipe.student.network.layers) == (run, 4)
    assert open_recipe(recipe_uri(run)) == recipe
    assert open_recipe(f"{run}/") == recipe


@pytest.mark.parametrize("name", ["", "/recipe.yaml"])
def test_a_copy_is_a_run_of_its_own(run: str, tmp_path: Path, name: str) -> None:
    shutil.copytree(run, tmp_path / "copy")
    copied = open_recipe(f"{tmp_path}/copy{name}")
    assert copied == open_recipe(run).model_copy(update={"run": f"{tmp_path}/copy"})
    save_recipe(copied)
    assert open_recipe(run).run == run


def test_a_recipe_that_lies_alone_says_where_its_run_is(run: str, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    shutil.copy(recipe_uri(run), tmp_path / "alone" / "recipe.yaml")
    assert open_recipe(f"{tmp_path}/alone/recipe.yaml").run == run
    assert open_recipe(f"{tmp_path}/alone/recipe.yaml", [f"run={tmp_path}/new"]).run == f"{tmp_path}/new"


COMMANDS = ["run", "student", "status", "verify", "failed", "plan"]


@pytest.mark.parametrize("command", [*COMMANDS, "run --dry-run"])
@pytest.mark.parametrize("kept", [None, "1", "99"])
def test_a_run_of_another_version_is_refused_in_one_sentence(
    run: str, capsys: pytest.CaptureFixture, command: str, kept: str | None
) -> None:
    uri = Path(format_uri(run))
    uri.unlink() if kept is None else uri.write_text(f"{kept}\n")
    before = {path: path.stat().st_mtime_ns for path in Path(run).rglob("*")}
    for target in ([run], ["demo", f"run={run}"]):
        assert main([*command.split(), *target]) == REFUSED
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err == (
            f"ssl-asr: {run} was made by another version of ssl_asr (format {kept or 1}; this one has format "
            f"{FORMAT}), and this version can't continue it; "
            "give another directory with run=PATH, or delete this one\n"
        )
    assert {path: path.stat().st_mtime_ns for path in Path(run).rglob("*")} == before


def test_a_directory_without_a_run_is_free(tmp_path: Path) -> None:
    check_format(str(tmp_path))
    check_format(str(tmp_path / "nothing"))


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
