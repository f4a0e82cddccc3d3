"""Verification and repair of a run whose speech networks have realigned."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.cli.main import FAILED, OK, main
from ssl_asr.recipe import Recipe
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from tests.realigned_run import sets_of
from tests.verifying.stage_lines import stages

SHARD = Shard("labeled", 1)


def cut(store: ShardStore, shard: Shard = SHARD) -> str:
    file = Path(store.uri(shard))
    file.write_bytes(file.read_bytes()[:-9])
    return str(file)


def lose_both(store: ShardStore, shard: Shard = SHARD) -> str:
    Path(store.ledger_uri(shard)).unlink()
    Path(store.uri(shard)).unlink()
    return store.uri(shard)


def spoil_entry(store: ShardStore, shard: Shard = SHARD) -> str:
    Path(store.ledger_uri(shard)).write_text("{")
    return store.uri(shard)


def files(recipe: Recipe) -> dict[str, bytes]:
    found = [path for part in ("alignments", "ledger/alignments") for path in Path(recipe.run, part).rglob("*")]
    return {str(path.relative_to(recipe.run)): path.read_bytes() for path in found if path.is_file()}


def test_a_realigned_run_is_whole(realigned_run: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", realigned_run.run]) == OK, capsys.readouterr().out


@pytest.mark.parametrize("how", [cut, lose_both, spoil_entry])
@pytest.mark.parametrize("round_", [1, 2])
def test_a_bad_shard_of_a_round_is_found_and_made_anew(
    realigned_run: Recipe, realigned: Recipe, capsys: pytest.CaptureFixture[str], how, round_: int
) -> None:
    uri = how(sets_of(realigned_run)[round_])
    assert main(["verify", realigned_run.run]) == FAILED
    assert f"{uri}" in capsys.readouterr().out
    assert main(["verify", realigned_run.run, "--repair"]) == OK
    assert stages(capsys.readouterr().out) == ["realign"]
    assert files(realigned_run) == files(realigned)


def test_bad_shards_of_all_rounds_are_made_anew_one_after_the_other(
    realigned_run: Recipe, realigned: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    flat, first, last = sets_of(realigned_run)
    lose_both(flat)
    lose_both(first)
    cut(last)
    cut(last, Shard("dev", 0))
    assert main(["verify", realigned_run.run, "--repair"]) == OK
    assert stages(capsys.readouterr().out) == ["hmm", "realign", "realign"]
    assert files(realigned_run) == files(realigned)


def test_sets_of_another_teacher_are_not_promised(realigned_run: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    _, first, _ = sets_of(realigned_run)
    before = cut(first)
    assert main(["verify", realigned_run.run, "teacher.labeled_passes=2", "--repair"]) == FAILED
    said = capsys.readouterr().out
    assert "makes it anew" not in said
    assert f"run `ssl-asr realign {realigned_run.run}` again" in said
    assert Path(before).exists()
