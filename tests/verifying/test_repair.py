"""A bad shard of any store is made anew, in the order in which stores depend on each other, and all is as before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.store.inventory import inventory
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, MANIFEST, STAGE_OF_STORE, TARGETS
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.verifying import repair
from tests.verifying.stage_lines import stages

KINDS = (MANIFEST, FEATURES, ALIGNMENTS, TARGETS)


@pytest.fixture
def own(labelled_run: Recipe, tmp_path: Path) -> Recipe:
    """A copy of the run up to its targets."""
    shutil.copytree(labelled_run.run, tmp_path / "run")
    recipe = labelled_run.model_copy(update={"run": str(tmp_path / "run")})
    save_recipe(recipe)
    return recipe


def shards(recipe: Recipe) -> dict[str, bytes]:
    """All files of all stores and of their ledger."""
    files = [
        file for kind in KINDS for part in (kind, f"ledger/{kind}") for file in Path(recipe.run, part).rglob("*")
    ]
    return {str(file.relative_to(recipe.run)): file.read_bytes() for file in files if file.is_file()}


def times(recipe: Recipe) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for kind in KINDS for file in Path(recipe.run, kind).rglob("*.parquet")}


def store_of(recipe: Recipe, kind: str) -> ShardStore:
    (held,) = [held for held in inventory(recipe.run) if held.kind == kind]
    return held.store


def shard_of(kind: str, number: int = 0) -> Shard:
    return Shard("unlabeled" if kind == TARGETS else "labeled", number)


def cut(file: Path, entry: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def lose_file(file: Path, entry: Path) -> None:
    file.unlink()


def lose_entry(file: Path, entry: Path) -> None:
    entry.unlink()


def lose_both(file: Path, entry: Path) -> None:
    file.unlink()
    entry.unlink()


def spoil_entry(file: Path, entry: Path) -> None:
    entry.write_text("{")


def damage(recipe: Recipe, kind: str, how: Callable[[Path, Path], None], shard: Shard) -> Path:
    store = store_of(recipe, kind)
    file = Path(store.uri(shard))
    how(file, Path(store.ledger_uri(shard)))
    return file


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        (MANIFEST, cut),
        (FEATURES, lose_entry),
        (ALIGNMENTS, lose_file),
        (ALIGNMENTS, spoil_entry),
        (TARGETS, lose_both),
    ],
)
def test_one_bad_shard_is_made_anew_and_nothing_else(
    own: Recipe, labelled_run: Recipe, capsys: pytest.CaptureFixture[str], kind: str, how: Callable
) -> None:
    before = times(own)
    made = damage(own, kind, how, shard_of(kind))
    assert main(["verify", own.run]) == FAILED
    finding = capsys.readouterr().out.splitlines()[0]
    assert finding.startswith(f"{made} ")
    assert f"`ssl-asr verify {own.run} --repair` makes it anew" in finding
    assert main(["verify", own.run, "--repair"]) == OK
    said = capsys.readouterr().out
    assert stages(said) == [STAGE_OF_STORE[kind]]
    assert said.endswith("nothing wrong\n")
    assert shards(own) == shards(labelled_run)
    after = times(own)
    assert {file for file in after if after[file] != before[file]} == {made}


def test_bad_shards_of_all_stores_are_made_anew_in_order(
    own: Recipe, labelled_run: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shard 0 is broken in every store that has it, the manifest's without a trace; others elsewhere."""
    for kind, how in ((MANIFEST, lose_both), (FEATURES, cut), (ALIGNMENTS, lose_both)):
        damage(own, kind, how, Shard("labeled", 0))
    damage(own, FEATURES, lose_both, Shard("dev", 0))
    damage(own, MANIFEST, lose_entry, Shard("test", 0))
    damage(own, FEATURES, lose_both, Shard("unlabeled", 0))
    damage(own, TARGETS, cut, Shard("unlabeled", 0))
    assert main(["verify", own.run, "--repair"]) == OK
    assert stages(capsys.readouterr().out) == ["corpus", "frontend", "hmm", "labelling"]
    assert shards(own) == shards(labelled_run)


def test_with_another_recipe_nothing_is_deleted(own: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    """Its stages would make everything anew."""
    damage(own, FEATURES, cut, Shard("labeled", 0))
    before = shards(own)
    assert main(["verify", own.run, "frontend.mel_bins=40", "--repair"]) == FAILED
    assert f"run `ssl-asr frontend {own.run}` again" in capsys.readouterr().out
    damage(own, TARGETS, cut, Shard("unlabeled", 0))
    damage(own, FEATURES, cut, Shard("unlabeled", 0))
    before = shards(own)
    assert main(["verify", own.run, "frontend.mel_bins=40", "--repair"]) == FAILED
    assert "targets can't be made again from damaged features; fix these first" in capsys.readouterr().err
    assert shards(own) == before


class Idle:
    """A stage that ends without having made anything."""

    def __init__(self, name: str) -> None:
        self.name = name

    def function(self) -> Callable[[Recipe], StageReport]:
        return lambda recipe: StageReport(self.name, "key", 0.0, 0, 0, 0)


def test_what_depends_on_a_shard_that_was_not_made_anew_is_kept(
    own: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repair, "stage", Idle)
    damage(own, FEATURES, cut, Shard("unlabeled", 0))
    kept = damage(own, TARGETS, cut, Shard("unlabeled", 1))
    assert main(["verify", own.run, "--repair"]) == FAILED
    assert "frontend did not make 1 of the bad shards of features anew" in capsys.readouterr().err
    assert kept.exists()
