"""A student trained on a run in S3: an outage of it is waited for, and after its driver is killed the same command
goes on from the checkpoint there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.snapshot import SHARED
from ssl_asr.training.elastic.events import read_events
from tests.cluster.training_helpers import every_slab_was_trained_on_once, own_ray, own_run
from tests.s3_server import S3Server

pytestmark = pytest.mark.cluster

# A driver as a user's.
STUDENT = """
import sys
from ssl_asr.recipe import Recipe
from ssl_asr.training.stage import run_student
run_student(Recipe.model_validate_json(sys.argv[1]))
"""
# An outage ends once the driver has told of it, or after so long. pyarrow itself tries a request again for seconds:
# one that begins late in a short outage never fails.
OUTAGE_SECONDS = 60.0


def uploaded(local: Recipe, run: str) -> Recipe:
    for file in Path(local.run).rglob("*"):
        if file.is_file():
            filesystem.write_bytes(filesystem.join(run, str(file.relative_to(local.run))), file.read_bytes())
    return local.model_copy(update={"run": run})


def wait_for_checkpoints(driver: subprocess.Popen[bytes], checkpoints: str, newer_than: str = "") -> str:
    """Name of the newest, once there are two; every block makes one."""
    deadline = time.monotonic() + 100
    while True:
        made = filesystem.list_files(checkpoints, SHARED)
        if len(made) >= 2 and made[-1] > newer_than:
            return made[-1]
        assert driver.poll() is None, "ended before another checkpoint"
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.1)


def wait_for_line(log: Path, line: str) -> None:
    deadline = time.monotonic() + OUTAGE_SECONDS
    while line not in log.read_text():
        assert time.monotonic() < deadline, f"no '{line}' among: {log.read_text()}"
        time.sleep(0.1)


def test_driver_killed_on_s3_goes_on_from_the_newest_checkpoint(
    labelled_run: Recipe, tmp_path: Path, s3: S3Server
) -> None:
    local = own_run(labelled_run, tmp_path / "run", (2, 2), unlabeled_passes=5.0)
    recipe = uploaded(local, f"{s3.create_bucket('speech')}/run")
    command = [sys.executable, "-c", STUDENT, recipe.model_dump_json()]
    checkpoints = filesystem.join(recipe.run, "training", "student", "checkpoints")

    log = tmp_path / "driver.log"
    with log.open("w") as lines:
        driver = subprocess.Popen(command, env=own_ray(), start_new_session=True, stderr=lines)
    newest = wait_for_checkpoints(driver, checkpoints)
    s3.go_out(OUTAGE_SECONDS)
    wait_for_line(log, "; training continues (")
    s3.go_out(0)
    wait_for_checkpoints(driver, checkpoints, newest)
    assert "failed" not in [event.kind for event in read_events(recipe.run, "student")]
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not filesystem.exists(model_uri(recipe.run, "student")), "killed too late to show anything"

    again = subprocess.run(command, env=own_ray(), check=True, timeout=200, stderr=subprocess.PIPE, text=True)
    went_on = re.search(r"student: 2 workers continue from block (\d+)", again.stderr)
    assert went_on is not None, again.stderr
    assert int(went_on[1]) >= 1
    every_slab_was_trained_on_once(recipe)
