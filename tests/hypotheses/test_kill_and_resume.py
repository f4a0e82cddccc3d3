"""kill -9 while words are recognised on Ray, then again: the store is that of an unbroken run, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
from tests.hypotheses.conftest import SPLIT, contents, copied
from tests.in_process import placed_here
from tests.kill_and_resume import kill_actors_after_the_first_shard, kill_driver_after_its_first_shard
from tests.toy_run import TEXT, Spoken, pronounced, publish

pytestmark = pytest.mark.usefixtures("ray_local")
SHARDS, SIZE = 10, 20  # so many that a kill after the first comes before the last
STAGE = """
import sys
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
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
def test_the_driver_killed_after_its_first_shard(long: Recipe, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    own = copied(long, tmp_path / "run")
    done = kill_driver_after_its_first_shard(STAGE, own, lambda: entries(own))
    assert 1 <= done < SHARDS, "killed too late to mean anything"
    report = run_hypotheses(own)
    assert report.skipped >= done
    assert contents(own) == unbroken


@pytest.mark.timeout(400)
def test_an_actor_killed_mid_shard(long: Recipe, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    own = copied(long, tmp_path / "run")
    kill_actors_after_the_first_shard(run_hypotheses, own, lambda: entries(own))
    assert contents(own) == unbroken
