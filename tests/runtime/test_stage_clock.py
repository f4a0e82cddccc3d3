"""Stage reports: kept, read back, and their time added up over interruptions and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ssl_asr.progress import Step
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime import stage_clock
from ssl_asr.runtime.stage_clock import StageClock, read_heartbeat
from ssl_asr.runtime.stage_report import ACTOR_HOURS, read_report
from ssl_asr.store import filesystem
from ssl_asr.store.layout import heartbeat_uri, rejects_uri
from ssl_asr.store.ledger import Reject


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    return load_recipe("demo", [f"run={tmp_path}"])


@pytest.fixture
def now(monkeypatch):
    """A clock that the test moves."""
    current = [0.0]
    monkeypatch.setattr("ssl_asr.runtime.stage_clock.time.monotonic", lambda: current[0])
    return current


def test_report_is_kept_with_its_rejects(recipe, now):
    clock = StageClock(recipe, "frontend", "a")
    now[0] = 12.5
    report = clock.finish(10, 4, [Reject("x", "empty")], {"x_real_time": 331.25, "frames_seen": 1143892.0})
    assert report.seconds == 12.5
    assert read_report(recipe, "frontend") == report
    assert json.loads(filesystem.read_bytes(rejects_uri(recipe.run, "frontend"))) == {"id": "x", "reason": "empty"}
    assert report.line() == (
        "frontend: 12 s, 10 shards, 4 done before, 1 REJECTED (see ssl-asr failed), "
        "x real time 331.2, frames seen 1,143,892"
    )


def test_line_without_figures_ends_cleanly(recipe, now):
    assert StageClock(recipe, "corpus", "a").finish(2, 0).line() == "corpus: 0 s, 2 shards"


def test_times_add_up_over_an_interruption(recipe, now):
    interrupted = StageClock(recipe, "teacher", "a")
    now[0] = 40
    interrupted.heartbeat()  # as it does every few seconds until it is killed
    again = StageClock(recipe, "teacher", "a")
    now[0] = 50
    assert again.finish(10, 4).seconds == 50
    assert read_heartbeat(recipe, "teacher") is None


def test_finding_everything_done_takes_no_time(recipe, now):
    first = StageClock(recipe, "teacher", "a")
    now[0] = 40
    first.finish(10, 0)
    again = StageClock(recipe, "teacher", "a")
    now[0] = 45
    assert again.finish(10, 10).seconds == 40


def test_another_recipe_starts_from_nothing(recipe, now):
    first = StageClock(recipe, "teacher", "a")
    first.work(7200)
    now[0] = 40
    first.heartbeat()
    other = StageClock(recipe, "teacher", "b")
    now[0] = 43
    report = other.finish(10, 0)
    assert (report.seconds, report.figures) == (3, {})


def test_work_of_actors_adds_up_over_kills_and_finished_attempts(recipe, now):
    killed = StageClock(recipe, "labelling", "a")
    killed.work(3000)
    killed.work(600)
    killed.heartbeat()
    killed.work(1800)  # of a shard that was finished after the last note: lost, as the clock's own time is
    again = StageClock(recipe, "labelling", "a")
    again.work(1800)
    report = again.finish(10, 4, figures={"hours": 3.0})
    assert report.figures == {"hours": 3.0, ACTOR_HOURS: 1.5}
    assert "actor hours 1.5" in report.line()
    found_done = StageClock(recipe, "labelling", "a")
    assert found_done.finish(10, 10).figures == {ACTOR_HOURS: 1.5}


def test_work_of_many_threads_is_all_counted(recipe):
    clock = StageClock(recipe, "labelling", "a")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(clock.work, [0.25] * 4000))
    clock.heartbeat()
    assert read_heartbeat(recipe, "labelling").work_seconds == 1000


def test_a_note_of_a_version_without_actors_is_still_read(recipe, now):
    filesystem.write_bytes(heartbeat_uri(recipe.run, "labelling"), b'{"key": "a", "seconds": 12.5}')
    assert StageClock(recipe, "labelling", "a").finish(2, 1).seconds == 12.5


def noted(recipe: Recipe, name: str) -> float:
    heartbeat = read_heartbeat(recipe, name)
    return 0.0 if heartbeat is None else heartbeat.seconds


def test_the_step_under_way_is_noted(recipe, now):
    clock, step = StageClock(recipe, "corpus", "a"), Step("reading unlabeled", 3, 8, "shards")
    clock.note(step)
    clock.heartbeat()
    assert read_heartbeat(recipe, "corpus").step == step
    clock.note(None)
    clock.heartbeat()
    assert read_heartbeat(recipe, "corpus").step is None


def test_time_survives_kill_9(recipe):
    code = (
        "import sys, time; from ssl_asr.runtime import stage_clock; from ssl_asr.recipe import load_recipe\n"
        "stage_clock.HEARTBEAT_SECONDS = 0.1\n"
        "clock = stage_clock.StageClock(load_recipe('demo', [sys.argv[1]]), 'hmm', 'a'); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, f"run={recipe.run}"])
    try:
        deadline = time.monotonic() + 20
        while noted(recipe, "hmm") < 0.5 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert 0.5 <= StageClock(recipe, "hmm", "a").finish(2, 1).seconds < 20


def test_a_failed_stage_stops_noting_time(recipe, monkeypatch):
    monkeypatch.setattr(stage_clock, "HEARTBEAT_SECONDS", 0.02)
    clock = StageClock(recipe, "hmm", "a")
    heartbeats = clock._heartbeats
    del clock
    heartbeats.join(timeout=5)
    assert not heartbeats.is_alive()
