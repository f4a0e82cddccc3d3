"""Training stages without Ray Train: two workers simulated in this process. They give the same bits, and at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ssl_asr.recipe import Cluster
from ssl_asr.training.curve import CurveWriter, read_curve
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.simulated import train_simulated

WORKERS = 2


@contextmanager
def simulated_training() -> Iterator[None]:
    """Inside, `run_teacher`, `run_student` and `run_baseline` train in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssl_asr.training.stage.fit", _fit)
        yield


def _fit(job: TrainingJob, cluster: Cluster) -> CurveWriter:
    train_simulated(job, WORKERS)
    curve = CurveWriter(job.run, job.name)
    curve.records = read_curve(job.run, job.name)
    return curve
