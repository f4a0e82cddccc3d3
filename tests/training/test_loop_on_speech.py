"""The loop on real speech: it learns, a resumed run equals an unbroken one bit for bit, and BMUF(1) is SGD."""

from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.sync.group import Worker
from tests.training.jobs import labeled_job
from tests.training.test_loop import (
    SETTINGS,
    bmuf_of_one_worker_equals_dense,
    model_that_is_not_finite_stops_the_run,
    resumed_equals_unbroken,
    train,
)


@pytest.fixture(scope="module")
def job(aligned_run: Recipe) -> TrainingJob:
    return labeled_job(aligned_run)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("workers", "save_at"), [(1, 3), (1, 5), (2, 2)])
def test_resumed_equals_unbroken_bit_for_bit(
    job: TrainingJob, tmp_path: Path, setting: str, workers: int, save_at: int
) -> None:
    resumed_equals_unbroken(job, tmp_path, setting, workers, save_at)


def test_learns_real_speech(job: TrainingJob) -> None:
    loop = build_loop(replace(job, schedule=job.schedule * 3), Worker())
    source = job.sources[0]
    objective = loop.course.objectives["labeled"]
    before = loop.evaluate(source, objective).loss
    records = train(loop)
    after = loop.evaluate(source, objective)
    assert after.loss < before - 0.5
    assert after.figures["frame_accuracy"] > 2 / job.spec.outputs
    assert [record.block for record in records] == list(range(1, 34))
    assert sum(record.frames for record in records[:5]) > 1000


def test_one_bmuf_worker_without_momentum_equals_dense(job: TrainingJob) -> None:
    bmuf_of_one_worker_equals_dense(job)


def test_model_that_never_is_finite_stops_the_run_with_a_sentence(job: TrainingJob) -> None:
    model_that_is_not_finite_stops_the_run(job)
