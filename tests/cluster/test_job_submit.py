"""`ray job submit --working-dir . -- python jobs/NAME.py RECIPE` of each job, with a token, to a head of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ssl_asr.job_entry import JOB_MARK, kept_run
from ssl_asr.pipeline import NAMES
from ssl_asr.recipe import Recipe
from ssl_asr.run_directory import save_recipe
from ssl_asr.stage import read_report
from tests.cluster.head import RAY, Head, started_head
from tests.conftest import tiny_recipe

ROOT = Path(__file__).parents[2]
SECONDS = 100  # of a job, its start included
# Stages in the order of a run; those of a wave need nothing of each other and are submitted at the same time.
WAVES = (
    ("corpus",),
    ("frontend",),
    ("hmm",),
    ("teacher", "baseline"),
    ("labelling",),
    ("student",),
    ("evaluate",),
    ("report",),
)


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with started_head() as head:
        yield head


def submit(head: Head, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [RAY, "job", "submit", "--address", head.dashboard, "--working-dir", ".", "--", "python", *words]
    inside = {**head.environment, **environment}
    return subprocess.run(command, cwd=ROOT, env=inside, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.timeout(450)
def test_every_job_runs_once(head, tmp_path):
    recipe = smallest_recipe(tmp_path / "run")
    save_recipe(recipe)
    assert {job.stem for job in (ROOT / "jobs").glob("[a-z]*.py")} == {*NAMES, "run"}
    assert sorted(sum(WAVES, ())) == sorted(NAMES)
    with ThreadPoolExecutor() as pool:
        for wave in WAVES:
            jobs = [pool.submit(submit, head, f"jobs/{stage}.py", recipe.run) for stage in wave]
            for stage, job in zip(wave, jobs, strict=True):
                assert f"{stage}: " in succeeded(job.result())
                assert read_report(recipe, stage).skipped == 0
    output = succeeded(submit(head, "jobs/run.py", recipe.run))
    for stage in NAMES[:-1]:  # the last, the report, is drawn anew
        assert read_report(recipe, stage).skipped == read_report(recipe, stage).pieces
        assert re.search(rf"^{stage}: .* found done", output, re.MULTILINE)


def smallest_recipe(run: Path) -> Recipe:
    """Half a dozen minutes of clean speech, and each network trained as briefly as can be."""
    return tiny_recipe(
        run,
        "corpus.labeled_minutes=3",
        "corpus.unlabeled_minutes=2",
        "corpus.dev_minutes=0.5",
        "corpus.test_minutes=0.3",
        "corpus.train_conditions=[clean]",
        "corpus.test_conditions=[clean]",
        "corpus.labeled_copies=0",
        "hmm.senones=40",
        "hmm.flat_start_iterations=3",
        "hmm.g2p_words=500",
        "teacher.labeled_passes=1",
        "teacher.whole_passes=0",
        "labelling.k=10",
        "student.sub_epochs=1",
        "student.whole_sub_epochs=0",
        "cluster.train_workers=[1, 1]",
    )


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "succeeded" in done.stdout
    return done.stdout


@pytest.mark.timeout(400)
def test_a_job_with_a_wrong_recipe_fails_with_the_sentence(head):
    done = submit(head, "jobs/run.py", "demo", "student.layrs=3")
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
