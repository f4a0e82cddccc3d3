"""The loop on real speech: it learns, a resumed run equals an unbroken one bit for bit, and BMUF(1) is SGD."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.recipe import Recipe, Sync
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.sync.group import Worker
from tests.training.jobs import labeled_job
from tests.training.test_loop import SETTINGS, resumed_equals_unbroken, train


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
    models = []
    for strategy in ("bmuf", "dense"):
        loop = build_loop(replace(job, sync=Sync(block_slabs=2, strategy=strategy)), Worker())
        train(loop)
        models.append(loop.strategy.global_model())
    torch.testing.assert_close(models[0], models[1], rtol=1e-5, atol=1e-6)


def test_model_that_never_is_finite_stops_the_run_with_a_sentence(job: TrainingJob) -> None:
    job = replace(job, mean=np.full_like(job.mean, np.nan))
    with pytest.raises(ValueError, match=r"not finite .* lower optimiser.learning_rate"):
        train(build_loop(job, Worker()))
