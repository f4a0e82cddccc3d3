"""A training that can't go on stops: at once where its input is bad, after some attempts where workers keep dying."""

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
from ssl_asr.training.data.examples import Example, SlabReader
from ssl_asr.training.elastic.events import read_events, restarts
from ssl_asr.training.elastic.failure_counter import FailureCounter
from ssl_asr.training.elastic.fit import Trainer, fit
from ssl_asr.training.job import TrainingJob
from tests.cluster.braked import values_of
from tests.cluster.training_helpers import own_run
from tests.training.jobs import labeled_job


class DeadlyReader(SlabReader):
    """Its process dies at one slab, as one whose memory runs out does."""

    def read(self, source: Any, ref: Any, offset: int) -> list[Example]:
        if source == "labeled" and (Path(self.run) / "deadly").read_text() == ref.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(source, ref, offset)


class DeadlyArrival(SlabReader):
    """A worker's process that receives it for the second time dies of it: it has started, and does not train yet."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self.run, values_of(self))


_arrivals: list[str] = []  # in this process


def _arrive(run: str, fields: dict[str, Any]) -> DeadlyArrival:
    deadly = Path(run) / "deadly"
    _arrivals.append(run)
    if len(_arrivals) == 2 and deadly.exists() and "RayTrainWorker" in Path("/proc/self/cmdline").read_text():
        deadly.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return DeadlyArrival(**fields)


@pytest.fixture
def job(aligned_run: Recipe, tmp_path: Path) -> TrainingJob:
    return labeled_job(own_run(aligned_run, tmp_path / "run", (1, 1)))


def begun(job: TrainingJob) -> TrainingJob:
    write_schedule(job.run, job.name, job.key, job.schedule, {each.name: len(each) for each in job.sources})
    return job


def test_no_process_is_started_for_datasets() -> None:
    names = [
        [type(each).__name__ for each in trainer(print)._create_default_callbacks()]
        for trainer in (TorchTrainer, Trainer)
    ]
    assert "DatasetsCallback" in names[0], "this Ray has no such process any more, or another name for it"
    assert names[1] == [name for name in names[0] if name != "DatasetsCallback"]


def test_bad_input_is_one_sentence_and_no_restart(aligned_run: Recipe, job: TrainingJob) -> None:
    (shard,) = Path(job.run).glob("alignments/*/labeled/000000.parquet")
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"labeled/000000.parquet") as refused:
        fit(begun(job), aligned_run.cluster)
    assert "\n" not in str(refused.value)
    events = read_events(job.run, job.name)
    assert [event.kind for event in events][-2:] == ["failed", "stopped"]
    assert restarts(events) == 0


def test_a_worker_that_dies_before_it_trains_does_not_end_the_run(aligned_run: Recipe, job: TrainingJob) -> None:
    (Path(job.run) / "deadly").touch()
    reader = DeadlyArrival(**values_of(job.reader))
    fit(begun(replace(job, reader=reader)), aligned_run.cluster.model_copy(update={"train_workers": (1, 1)}))
    assert not (Path(job.run) / "deadly").exists()
    events = [event.kind for event in read_events(job.run, job.name)]
    assert events[0] == "begun"
    assert events[-1] == "finished"
    assert events.count("failed") == 1


def test_workers_that_keep_dying_at_the_same_block_are_given_up_and_the_same_job_goes_on(
    aligned_run: Recipe, job: TrainingJob
) -> None:
    deadly = Path(job.run) / "deadly"
    deadly.write_text(job.sources[0].at(4).name)
    reader = DeadlyReader(**values_of(job.reader))
    job = begun(replace(job, reader=reader))
    with pytest.raises(ValueError, match=r"workers failed 2 times in a row .* its worker process has died"):
        fit(job, aligned_run.cluster, FailureCounter(limit=2))
    deadly.write_text("none")
    fit(job, aligned_run.cluster)
    blocks = [record["block"] for record in read_curve(job.run, job.name) if "loss" in record]
    assert blocks == list(range(1, len(blocks) + 1))
    assert [event.kind for event in read_events(job.run, job.name)].count("begun") == 2
