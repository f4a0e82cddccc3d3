"""The driver follows training while an object store is away: news wait, and training is not held up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ssl_asr.store import filesystem, retry
from ssl_asr.store.retry import retried
from ssl_asr.training.curve import CurveWriter
from ssl_asr.training.elastic.follower import Follower
from ssl_asr.training.elastic.monitor import Updates


def test_while_the_store_is_away_nobody_waits_for_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = SimpleNamespace(run=str(tmp_path_factory.mktemp("run")), name="student", key="key", schedule=())
    follower = Follower(job, CurveWriter(job.run, job.name))
    slept: list[float] = []
    away = [True]
    write_bytes = filesystem.write_bytes

    @retried
    def writing(uri: str, data: bytes) -> None:
        if away[0]:
            raise OSError("AWS Error SLOW_DOWN during PutObject operation")
        write_bytes(uri, data)

    monkeypatch.setattr(retry.time, "sleep", slept.append)
    monkeypatch.setattr(filesystem, "write_bytes", writing)
    follower.note("begun", job.key)
    for _ in range(3):
        follower.follow(Updates())
    assert slept == []
    assert capsys.readouterr().err.count("now; training continues") == 1
    away[0] = False
    follower.follow(Updates())
    assert filesystem.exists(f"{job.run}/training/student/events.jsonl")
