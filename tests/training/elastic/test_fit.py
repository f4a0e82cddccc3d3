"""A training that can't go on stops: at once where its input is bad, after some attempts where workers keep dying.

Most of the time here is that of processes which start, so that one training shows several things.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray.train.torch import TorchTrainer

from ssl_asr.recipe import Recipe
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.curve import read_curve
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.slab_reader import SlabReader
from ssl_asr.training.elastic.events import read_events, restarts
from ssl_asr.training.elastic.failure_counter import FailureCounter
from ssl_asr.training.elastic.fit import LEFT_OUT, Trainer, fit
from ssl_asr.training.job import TrainingJob
from tests.cluster.braked import values_of
from tests.cluster.training_helpers import own_run
from tests.training.jobs import labeled_job


class DeadlyReader(SlabReader):
    """A worker's process dies of it, as one whose memory runs out does, where a file of the run says so.

    At the slab that "deadly-slab" names; or, while "deadly-arrival" is there, as it receives the reader for the
    second time: it has started then, and does not train yet.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self.run, values_of(self))

    def read(self, source: Any, ref: Any, offset: int) -> list[Example]:
        if source == "labeled" and (Path(self.run) / "deadly-slab").read_text() == ref.name:
            _die()
        return super().read(source, ref, offset)


_arrivals: list[str] = []  # in this process


def _arrive(run: str, fields: dict[str, Any]) -> DeadlyReader:
    deadly = Path(run) / "deadly-arrival"
    _arrivals.append(run)
    if len(_arrivals) == 2 and deadly.exists() and "RayTrainWorker" in Path("/proc/self/cmdline").read_text():
        deadly.unlink()
        _die()
    return DeadlyReader(**fields)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def job(aligned_run: Recipe, tmp_path: Path) -> TrainingJob:
    return labeled_job(own_run(aligned_run, tmp_path / "run", (1, 1)))


def begun(job: TrainingJob) -> TrainingJob:
    write_schedule(job.run, job.name, job.key, job.schedule, {each.name: len(each) for each in job.sources})
    return job


def test_two_processes_less_are_started_than_by_ray() -> None:
    names = [
        [type(each).__name__ for each in trainer(print)._create_default_callbacks()]
        for trainer in (TorchTrainer, Trainer)
    ]
    assert set(LEFT_OUT) <= set(names[0]), "this Ray has no such process any more, or another name for it"
    assert names[1] == [name for name in names[0] if name not in LEFT_OUT]


def test_bad_input_is_one_sentence_and_no_restart(aligned_run: Recipe, job: TrainingJob) -> None:
    (shard,) = Path(job.run).glob("alignments/*/labeled/000000.parquet")
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"labeled/000000.parquet") as refused:
        fit(begun(job), aligned_run.cluster)
    assert "\n" not in str(refused.value)
    events = read_events(job.run, job.name)
    assert [event.kind for event in events][-2:] == ["failed", "stopped"]
    assert restarts(events) == 0


def test_workers_that_keep_dying_are_given_up_and_the_job_goes_on_when_another_dies_before_it_trains(
    aligned_run: Recipe, job: TrainingJob
) -> None:
    deadly_slab, deadly_arrival = (Path(job.run) / name for name in ("deadly-slab", "deadly-arrival"))
    deadly_slab.write_text(job.sources[0].at(4).name)
    job = begun(replace(job, reader=DeadlyReader(**values_of(job.reader))))
    with pytest.raises(ValueError, match=r"workers failed 2 times in a row .* its worker process has died"):
        fit(job, aligned_run.cluster, FailureCounter(limit=2))

    deadly_slab.write_text("none")
    deadly_arrival.touch()
    fit(job, aligned_run.cluster.model_copy(update={"train_workers": (1, 1)}))
    assert not deadly_arrival.exists()
    blocks = [record["block"] for record in read_curve(job.run, job.name) if "loss" in record]
    assert blocks == list(range(1, len(blocks) + 1))
    kinds = [event.kind for event in read_events(job.run, job.name)]
    assert kinds.count("begun") == 2
    assert kinds[kinds.index("stopped") :].count("failed") == 1
    assert kinds[-1] == "finished"
