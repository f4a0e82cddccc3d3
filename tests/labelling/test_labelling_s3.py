"""The labelling stage on a run in S3: killed, resumed, verified and repaired, it is the run on a disk to the byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ssl_asr.cli.main import OK
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Shard
from tests.cluster.training_helpers import own_ray
from tests.in_process import placed_here
from tests.kill_and_resume import kill_driver_after_its_first_shard
from tests.labelling.conftest import target_store, with_actors
from tests.labelling.small_shards import run_of_small_shards
from tests.labelling.test_kill_and_resume import STAGE, contents, labelled
from tests.s3_server import S3Server

SHARDS = 16
# A driver with one Ray for both; between them it waits for a line.
RESUMED_AND_REPAIRED = """
import sys
from ssl_asr.cli.main import main
from ssl_asr.labelling.stage import run_labelling
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
recipe = Recipe.model_validate_json(sys.argv[1])
with joined():
    run_labelling(recipe)
    print("labelled", flush=True)
    input()
    code = main(["verify", recipe.run, "--repair"])
sys.exit(code)
"""


@pytest.fixture
def local(teacher_run: Recipe, tmp_path: Path) -> Recipe:
    return with_actors(run_of_small_shards(teacher_run, tmp_path / "run", SHARDS), 2, 2)


def uploaded(local: Recipe, run: str) -> Recipe:
    for file in Path(local.run).rglob("*"):
        if file.is_file():
            filesystem.write_bytes(filesystem.join(run, str(file.relative_to(local.run))), file.read_bytes())
    recipe = local.model_copy(update={"run": run})
    save_recipe(recipe)
    return recipe


def remote_contents(recipe: Recipe) -> dict[str, bytes]:
    name = target_store(recipe).name
    uris = [uri for part in (name, f"ledger/{name}") for uri in filesystem.list_files(f"{recipe.run}/{part}")]
    return {uri[len(recipe.run) + 1 :]: filesystem.read_bytes(uri) for uri in uris}


@pytest.mark.timeout(280)
def test_killed_resumed_and_repaired_it_is_the_run_on_a_disk(s3: S3Server, local: Recipe) -> None:
    remote = uploaded(local, f"{s3.create_bucket('bucket')}/some/run")
    with placed_here():
        run_labelling(local)
    s3.requests.clear()
    done = kill_driver_after_its_first_shard(STAGE, with_actors(remote, 1, 1), lambda: labelled(remote))
    assert 1 <= done < SHARDS, "killed too late to mean anything"
    command = [sys.executable, "-c", RESUMED_AND_REPAIRED, remote.model_dump_json()]
    with subprocess.Popen(command, env=own_ray(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "labelled\n"
        assert read_report(remote, "labelling").skipped >= done
        assert remote_contents(remote) == contents(local)
        puts = [request for request in s3.requests if request.startswith("PUT") and request.endswith(".parquet")]
        assert len({put for put in puts if "/some/run/targets/" in put}) == SHARDS
        assert not [request for request in s3.requests if "uploads" in request], "a shard is one PUT"
        uri = damaged(remote)
        said, _ = driver.communicate("damaged\n", timeout=120)
    assert driver.returncode == OK, said
    first, *_, last = said.splitlines()
    assert first.startswith(f"{uri} is not a whole Parquet file")
    assert last.endswith("nothing wrong")
    assert remote_contents(remote) == contents(local)


def damaged(remote: Recipe) -> str:
    """The address of a shard that has lost its last byte."""
    uri = target_store(remote).uri(Shard("unlabeled", 3))
    filesystem.write_bytes(uri, filesystem.read_bytes(uri)[:-1])
    return uri
