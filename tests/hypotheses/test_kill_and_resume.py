"""kill -9 while words are made on Ray, then again: the store is that of an unbroken run, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.corpus import shuffle
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.outside import exchange, groups, import_stage
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import layout
from ssl_asr.store.partitions import partition_store
from tests.hypotheses.conftest import SPLIT, asking, contents, copied
from tests.in_process import placed_here
from tests.kill_and_resume import kill_actors_after_their_first_shard, kill_driver_after_its_first_shard
from tests.toy_run import TEXT, Spoken, pronounced, publish

pytestmark = pytest.mark.usefixtures("ray_local")
SHARDS, SIZE = 10, 12  # so many that a kill after the first comes before the last
STAGE = """
import sys
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import layout
from ssl_asr.store.partitions import partition_store
run_hypotheses(Recipe.model_validate_json(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def long(unrecognised: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Many shards; nothing is recognised yet."""
    recipe = copied(unrecognised, tmp_path_factory.mktemp("long") / "run")
    for number in range(SHARDS):
        said = [TEXT[(number + place) % len(TEXT)] for place in range(SIZE)]
        spoken = [Spoken(f"{number}-{place}", text, pronounced(text), noise=0.8) for place, text in enumerate(said)]
        publish(recipe.run, SPLIT, number, [spoken[: SIZE // 2], spoken[SIZE // 2 :]], load_senones(recipe.run).id)
    return recipe


@pytest.fixture(scope="module")
def unbroken(long: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes, without Ray."""
    recipe = copied(long, tmp_path_factory.mktemp("unbroken") / "run")
    with placed_here():
        run_hypotheses(recipe)
    return contents(recipe)


def entries(recipe: Recipe) -> int:
    return len(hypothesis_set(recipe).store.entries(SPLIT))


@pytest.mark.timeout(400)
def test_the_driver_killed_after_its_first_shard_and_then_the_actors_after_theirs(
    long: Recipe, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    own = copied(long, tmp_path / "run")
    done = kill_driver_after_its_first_shard(STAGE, own, lambda: entries(own))
    assert 1 <= done < SHARDS, "killed too late to mean anything"
    then = kill_actors_after_their_first_shard(run_hypotheses, own, lambda: entries(own))
    assert done < then < SHARDS, "killed too late to mean anything"
    report = read_report(own, "hypotheses")
    assert report is not None
    assert report.skipped >= done
    assert contents(own) == unbroken


@pytest.mark.timeout(400)
def test_actors_killed_while_words_of_another_recogniser_are_read(
    long: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {f"{number}-{place}": TEXT[place % len(TEXT)] for number in range(SHARDS + 1) for place in range(SIZE)}
    file = tmp_path / "words.jsonl"
    file.write_text("".join(f'{{"id": "{name}", "hypothesis": "{text}"}}\n' for name, text in said.items()))
    here, own = (asking(copied(long, tmp_path / name), teacher=f"jsonl:{file}") for name in ("here", "run"))
    run_hypotheses(here)
    monkeypatch.setattr(import_stage, "SMALL_BYTES", 0)
    monkeypatch.setattr(exchange, "PIECE_BYTES", file.stat().st_size // 10)
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", file.stat().st_size // 3)
    monkeypatch.setattr(groups, "_LEAST_SHARDS", 4)
    pieces = partition_store(own.run, layout.WORD_PIECES)
    then = kill_actors_after_their_first_shard(run_hypotheses, own, lambda: len(pieces.entries(SPLIT)))
    assert then < 10, "killed too late to mean anything"
    assert read_report(own, "hypotheses").figures["of_other_speech"] == SIZE
    assert contents(own) == contents(here)
