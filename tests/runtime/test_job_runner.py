"""The pool of actors that makes shards."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ssl_asr.progress import Step
from ssl_asr.runtime.job_runner import HOURS, Pool, run_shard_jobs
from ssl_asr.store.ledger import Shard

SHARDS = [Shard("all", number) for number in range(12)]
DEADLINE = 40.0  # seconds, of a job that waits for another actor


class Meeting:
    """Notes its process, and does not end before another process has noted itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, shard: Shard) -> None:
        (self.folder / str(os.getpid())).touch()
        began = time.monotonic()
        while len(list(self.folder.iterdir())) < 2:
            if time.monotonic() - began > DEADLINE:
                raise ValueError("no second actor came")
            time.sleep(0.05)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("shards_at_once", [1, 2])
def test_a_busy_pool_grows_beyond_its_least(ray_local, tmp_path, shards_at_once):
    pool = Pool(1, 2, num_cpus=0.5, shards_at_once=shards_at_once)
    assert run_shard_jobs("meeting", SHARDS, lambda: Meeting(tmp_path), pool=pool) == []


@pytest.mark.timeout(120)
def test_a_pool_stays_within_its_most(ray_local, tmp_path, capsys):
    def note(shard: Shard) -> None:
        time.sleep(0.2)
        (tmp_path / str(os.getpid())).touch()

    hours = dict.fromkeys(SHARDS, 0.25)
    pool = Pool(1, 1, num_cpus=0.5)
    steps = list[Step]()
    assert (
        run_shard_jobs("noting", SHARDS, lambda: note, pool=pool, hours=hours, skipped=1.5, watch=steps.append) == []
    )
    assert [step.done for step in steps] == [1.5 + 0.25 * place for place in range(len(SHARDS) + 1)]
    assert {(step.what, step.total, step.unit) for step in steps} == {("noting", 4.5, HOURS)}
    assert "noting: 4.50/4.50 hours of audio" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
