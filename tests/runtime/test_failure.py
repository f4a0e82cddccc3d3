"""Errors as real Ray hands them over are brought back to the sentence that was raised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import ray
from ray.exceptions import RayTaskError
from ray.train import WorkerGroupError

from ssl_asr.runtime.failure import sentence_of

SENTENCE = "/speech/a.wav holds no sample; remove it"


def test_plain():
    assert sentence_of(ValueError(SENTENCE)) == SENTENCE
    assert sentence_of(RuntimeError("bug")) is None


def test_of_a_task(ray_local):
    @ray.remote
    def work() -> None:
        raise ValueError(SENTENCE)

    with pytest.raises(RayTaskError) as failed:
        ray.get(work.remote())
    assert str(failed.value) != SENTENCE
    assert sentence_of(failed.value) == SENTENCE


def test_of_a_map_over_data(ray_local):
    def work(batch: dict) -> dict:
        raise ValueError(SENTENCE)

    failed = raised_by(lambda: ray.data.range(2).map_batches(work).materialize())
    assert sentence_of(failed) == SENTENCE


def test_of_an_actor_that_could_not_start(ray_local):
    @ray.remote
    class Worker:
        def __init__(self) -> None:
            raise ValueError(SENTENCE)

        def work(self) -> None: ...

    failed = raised_by(lambda: ray.get(Worker.remote().work.remote()))
    assert sentence_of(failed) == SENTENCE


def test_a_bug_stays_a_bug(ray_local):
    @ray.remote
    def work() -> None:
        try:
            raise ValueError(SENTENCE)
        except ValueError:
            {}["nothing"]

    assert sentence_of(raised_by(lambda: ray.get(work.remote()))) is None


def raised_by(work: Callable[[], object]) -> Exception:
    with pytest.raises(Exception, match=r".") as failed:
        work()
    return failed.value


def test_of_a_training_worker():
    error = WorkerGroupError("long text", {1: ValueError(SENTENCE)})
    assert sentence_of(error) == SENTENCE


def test_of_a_cycle():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert sentence_of(first) is None
