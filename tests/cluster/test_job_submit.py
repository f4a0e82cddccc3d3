"""`ray job submit --working-dir . -- python jobs/NAME.py RECIPE` against a head started with `ray start --head`.

Everything listens on loopback, on ports of its own, with a token; processes end by their ids.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ssl_asr.job_entry import JOB_MARK, kept_run
from ssl_asr.stage import read_report
from tests.conftest import tiny_recipe

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")


@dataclass(frozen=True)
class Head:
    address: str
    environment: dict[str, str]

    def submit(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [RAY, "job", "submit", "--address", self.address, "--working-dir", ".", "--", "python", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    # Sockets below it have long names, and a socket's path has at most 107 characters.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    port, dashboard = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "PATH": f"{RAY.parent}:{os.environ['PATH']}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    command = [
        *(RAY, "start", "--head", "--block", "--num-cpus=2", "--object-store-memory=200000000"),
        *("--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={folder}"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
        *(f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"),
    ]
    with open(f"{folder}.log", "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{dashboard}/api/version", process, Path(f"{folder}.log"))
        yield Head(f"http://127.0.0.1:{dashboard}", environment)
    finally:
        end(process, folder)
        Path(f"{folder}.log").unlink()


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    """Until the dashboard answers, which without the token it does with a refusal."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if answer_of(url) in (401, 403):
            return
        time.sleep(0.3)
    pytest.fail(f"the head did not start: {log.read_text()[-2000:]}")


def answer_of(url: str) -> int | None:
    try:
        return int(urllib.request.urlopen(url, timeout=2).status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return None


def end(process: subprocess.Popen, folder: str) -> None:
    """End the head and all processes that name its folder, and nothing else."""
    os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=4)
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ProcessLookupError):
            if entry.name.isdigit() and folder in (entry / "cmdline").read_text():
                os.kill(int(entry.name), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(400)
def test_a_submitted_job_runs_a_stage(head, tmp_path):
    recipe = tiny_recipe(tmp_path / "run")
    overrides = [
        f"run={recipe.run}",
        f"corpus.cache={recipe.corpus.cache}",
        "corpus.labeled_minutes=2",
        "corpus.unlabeled_minutes=2",
        "corpus.dev_minutes=0.5",
        "corpus.test_minutes=0.3",
    ]
    done = head.submit("jobs/corpus.py", "demo", *overrides)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "corpus: " in done.stdout
    assert "succeeded" in done.stdout
    report = read_report(recipe, "corpus")
    assert report is not None
    assert report.pieces > 0


@pytest.mark.timeout(400)
def test_a_job_with_a_wrong_recipe_fails_with_the_sentence(head):
    done = head.submit("jobs/run.py", "demo", "student.layrs=3")
    assert done.returncode != 0
    assert "unknown recipe key 'student.layrs'; did you mean 'layers'?" in done.stdout + done.stderr


def test_results_leave_the_jobs_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = {JOB_MARK: "{}", "SSL_ASR_HOME": "/data"}
    assert kept_run(["demo"], job) == ["run=/data/runs/demo"]
    assert kept_run(["demo", "student.layers=3", "--traceback"], job) == ["run=/data/runs/demo"]
    assert kept_run(["demo", "run=/elsewhere/x"], job) == []
    assert kept_run(["demo", "run=s3://bucket/x"], job) == []
    assert kept_run(["demo"], {}) == []
    assert kept_run(["nothing"], job) == []
    assert kept_run([], job) == []
