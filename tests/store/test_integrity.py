"""A whole run of real speech has nothing wrong; what is wrong with a store before targets names the stage to run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store.inventory import inventory
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore


@pytest.fixture
def own(aligned_run: Recipe, tmp_path: Path) -> Recipe:
    """A copy of all stores of a run whose hmm stage is done, and of no targets that other tests made of it."""
    recipe = aligned_run.model_copy(update={"run": str(tmp_path / "run")})
    for store in ("manifest", "features", "alignments"):
        for part in (store, f"ledger/{store}"):
            shutil.copytree(Path(aligned_run.run) / part, Path(recipe.run) / part)
    save_recipe(recipe)
    return recipe


def store_of(recipe: Recipe, kind: str) -> ShardStore:
    (held,) = [held for held in inventory(recipe.run) if held.kind == kind]
    return held.store


def test_nothing_is_wrong_with_a_run(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", own.run]) == OK
    files = [file for file in Path(own.run).rglob("*.parquet") if "cache" not in file.parts]
    size = sum(file.stat().st_size for file in files) / 1e6
    (summary,) = capsys.readouterr().out.splitlines()
    shards = {(file.parent.name, file.name) for file in files}
    assert summary.startswith(f"verify: {len(shards)} shards, {len(files)} files, {size:.1f} MB, ")
    assert summary.endswith(": nothing wrong")


def cut(file: Path, entry: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def unlink_file(file: Path, entry: Path) -> None:
    file.unlink()


def unlink_entry(file: Path, entry: Path) -> None:
    entry.unlink()


@pytest.mark.parametrize("damage", [cut, unlink_file, unlink_entry])
@pytest.mark.parametrize(("kind", "stage"), [("manifest", "corpus"), ("features", "frontend"), ("alignments", "hmm")])
def test_damage_names_the_stage_to_run_again(
    own: Recipe, capsys: pytest.CaptureFixture[str], kind: str, stage: str, damage: Callable
) -> None:
    store, shard = store_of(own, kind), Shard("labeled", 0)
    damage(Path(store.uri(shard)), Path(store.ledger_uri(shard)))
    assert main(["verify", own.run]) == FAILED
    finding, summary = capsys.readouterr().out.splitlines()
    assert finding.startswith(f"{store.uri(shard)} ")
    assert f"run `ssl-asr {stage} {own.run}` again" in finding
    assert summary.endswith(": 1 wrong")


def test_two_shards_exchanged_are_both_found(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    store = store_of(own, "alignments")
    first, second = (Path(store.uri(Shard("labeled", number))) for number in (0, 1))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert main(["verify", own.run]) == FAILED
    found = capsys.readouterr().out.splitlines()[:-1]
    assert [line.split(" ")[0] for line in found] == [str(first), str(second)]


def test_files_that_are_no_shards_are_named_and_never_deleted(
    own: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = Path(own.run) / "features" / "labeled" / "copy of 000001.parquet"
    notes.write_bytes(b"mine")
    model = Path(own.run) / "models" / "teacher.safetensors"
    model.parent.mkdir()
    model.write_bytes(b"half a model")
    assert main(["verify", own.run, "--repair"]) == FAILED
    said = capsys.readouterr().out
    assert f"{notes} does not belong to its store" in said
    assert f"{model} is not a whole weights file" in said
    assert notes.exists()


def test_a_run_without_shards_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "demo", f"run={tmp_path}"]) == FAILED
    assert f"{tmp_path} holds no shard of any store; name a run that has begun" in capsys.readouterr().err
