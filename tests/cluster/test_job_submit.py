"""`ray job submit --working-dir . -- python jobs/NAME.py RECIPE` of every job, with a token, to a head of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.cli.job_entry import JOB_MARK, kept_run, kept_study
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.serving.adapting import EngineOptions
from ssl_asr.serving.transcribing.bulk import TRANSCRIPTS, BulkOptions, TranscribeJob, list_inputs, unfinished
from ssl_asr.store.shards import ShardStore
from tests.cluster.head import RAY, Head, started_head
from tests.conftest import tiny_recipe

ROOT = Path(__file__).parents[2]
SECONDS = 600  # of a job, its start included: a limit for one that hangs
# Stages of a run that begins, and of one that is labelled.
BEGINNING = ("corpus", "frontend", "hmm", "teacher", "labelling")
LABELLED = (
    "baseline",
    "student",
    "topline",
    "realign",
    "evaluate",
    *("hypotheses", "transducers", "fairness"),
    "report",
)
OFF = {"topline", "realign", "hypotheses", "transducers", "fairness"}  # their jobs say so and end
# Jobs of bundles, and where each is tested: the first here, the second in tests/serving/server/test_ray_serve.py.
OF_BUNDLES = {"transcribe", "serve"}
OF_THIS_MACHINE = {"voices"}  # makes speech, and starts no Ray


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with started_head() as head:
        yield head


def submit(head: Head, *words: str) -> subprocess.CompletedProcess[str]:
    command = [RAY, "job", "submit", "--address", head.dashboard, "--working-dir", ".", "--", *words]
    inside = head.environment
    return subprocess.run(command, cwd=ROOT, env=inside, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_every_job_runs_once(head, labelled_run, tmp_path):
    known = {*NAMES, "run", "experiment"} | OF_BUNDLES | OF_THIS_MACHINE
    assert {job.stem for job in (ROOT / "jobs").glob("[a-z]*.py")} == known
    assert sorted((*BEGINNING, *LABELLED)) == sorted(NAMES)
    beginning, labelled = smallest_recipe(tmp_path / "beginning"), brief(labelled_run, tmp_path / "labelled")
    with ThreadPoolExecutor() as pool:  # two runs side by side: a job mostly starts processes, one after the other
        other = pool.submit(submit_stages, head, beginning, BEGINNING)
        submit_stages(head, labelled, LABELLED)
        found_done(head, labelled)
        other.result()


def submit_stages(head: Head, recipe: Recipe, stages: Sequence[str]) -> None:
    """Entries of stages, one after the other: as one job, for a dozen more would only start processes."""
    save_recipe(recipe)
    entries = 'for stage in "$@"; do python "jobs/$stage.py" "$0" || exit; done'
    output = succeeded(submit(head, "sh", "-c", entries, recipe.run, *stages))
    for stage in stages:
        assert f"{stage}: " in output
        assert read_report(recipe, stage).skipped == 0


def found_done(head: Head, recipe: Recipe) -> None:
    """A job of the whole run has nothing left to do but to draw its report anew."""
    output = succeeded(submit(head, "python", "jobs/run.py", recipe.run))
    for stage in [name for name in NAMES[:-1] if name not in OFF]:
        assert read_report(recipe, stage).skipped == read_report(recipe, stage).pieces
        assert re.search(rf"^{stage}: .* done before", output, re.MULTILINE)


def brief(recipe: Recipe, folder: Path) -> Recipe:
    """A copy of the run with a student that is trained as briefly as can be."""
    shutil.copytree(recipe.run, folder, ignore=shutil.ignore_patterns("student*", "baseline*"))
    student = recipe.student.model_copy(update={"sub_epochs": 1, "whole_sub_epochs": 0})
    cluster = recipe.cluster.model_copy(update={"train_workers": (1, 1)})
    return recipe.model_copy(update={"run": str(folder), "student": student, "cluster": cluster})


def smallest_recipe(run: Path) -> Recipe:
    """Half a dozen minutes of clean speech and a teacher trained as briefly as can be."""
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
        "cluster.train_workers=[1, 1]",
    )


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "succeeded" in done.stdout
    return done.stdout


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_recordings_are_transcribed_by_a_job_that_goes_on(head, toy_export, tmp_path):
    out, audio = str(tmp_path / "out"), [str(tmp_path / f"{name}.wav") for name in ("one", "two")]
    for number, file in enumerate(audio):
        soundfile.write(file, 0.1 * np.random.default_rng(number).standard_normal(8000), 8000)
    options = BulkOptions(out, EngineOptions(str(toy_export.folder)))
    list_inputs(out, audio, channel=0, shard_inputs=1)
    first, second = unfinished(options)
    TranscribeJob(options)(first)  # and then it was stopped
    made = ShardStore(out, TRANSCRIPTS)
    before = made.entry(first)
    output = succeeded(
        submit(head, "python", "jobs/transcribe.py", options.engine.bundle, out, *audio, "--shard-inputs=1")
    )
    assert "2 transcribed (2 s), 0 rejected" in output
    assert unfinished(options) == []
    assert made.entry(first) == before
    names = [row["name"] for shard in (first, second) for row in made.read(shard).to_pylist()]
    assert names == ["one", "two"]
    assert (tmp_path / "out" / "rejects.jsonl").read_bytes() == b""


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_a_job_with_a_wrong_recipe_fails_with_the_sentence(head):
    done = submit(head, "python", "jobs/run.py", "demo", "student.network.layrs=3")
    assert done.returncode != 0
    assert "unknown recipe key 'student.network.layrs'; did you mean 'layers'?" in done.stdout + done.stderr


def test_runs_and_pages_of_a_study_leave_the_jobs_own_folder():
    job = {JOB_MARK: "{}", "SSL_ASR_HOME": "/data"}
    kept = ["--runs", "/data/runs/studies", "--out", "/data/runs/studies/results"]
    assert kept_study(["ssl", "--seeds", "1", "2"], job) == ["ssl", "--seeds", "1", "2", *kept]
    elsewhere = ["--runs", "s3://bucket/runs", "--out", "/elsewhere"]
    assert kept_study(["ssl", *elsewhere], job) == ["ssl", *elsewhere]
    assert kept_study(["ssl", "-o", "pages"], job)[-1] == "/data/pages"
    assert kept_study(["ssl", "-o", "pages"], {}) == ["ssl", "-o", "pages"]


def test_results_leave_the_jobs_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = {JOB_MARK: "{}", "SSL_ASR_HOME": "/data"}
    assert kept_run(["demo"], job) == ["run=/data/runs/demo"]
    assert kept_run(["demo", "student.network.layers=3", "--traceback"], job) == ["run=/data/runs/demo"]
    assert kept_run(["demo", "run=/elsewhere/x"], job) == []
    assert kept_run(["demo", "run=s3://bucket/x"], job) == []
    assert kept_run(["demo"], {}) == []
    assert kept_run(["nothing"], job) == []
    assert kept_run([], job) == []
