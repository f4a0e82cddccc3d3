"""Runs a training job on Ray Train and follows it from the driver.

Ray Train places the workers and notices when a worker dies or the cluster changes. It then starts as many workers as
the cluster has resources for, and they continue from the newest checkpoint. A restarted job continues in the same
way.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import partial
from threading import Thread
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from ssl_asr.recipe import Cluster
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import ray_folder
from ssl_asr.training.curve import CurveWriter
from ssl_asr.training.elastic.events import Kind, read_events, unreleased
from ssl_asr.training.elastic.failure_counter import FailureCounter, failure_of
from ssl_asr.training.elastic.follower import Follower
from ssl_asr.training.elastic.monitor import start_monitor
from ssl_asr.training.elastic.recovery import callbacks, release, remove_orphans
from ssl_asr.training.elastic.worker import train_worker
from ssl_asr.training.trainable import Trainable

# Seconds between checks for resources for more workers, and minimum seconds between resizes.
RESIZE_SECONDS = 10.0
# A worker that is alive but silent for so long counts as lost. Others wait for it at the end of a block, which may be
# long, and while it writes its checkpoint. Dead workers are noticed at once.
SILENCE_SECONDS = 1800
# Ray Train's callbacks that start a process beside the workers, which this training does not need.
LEFT_OUT = ("DatasetsCallback", "PlacementGroupCleanerCallback")


class Trainer(TorchTrainer):
    """Ray's, without two processes that it starts beside the workers, each with as many imports as a worker.

    One holds datasets, but workers read their slabs themselves. The other removes the placement group of a controller
    that has died. Here the driver ends with its controller, and Ray then removes the group. Without a dashboard, that
    process can't see the controller, and Ray 2.60 waits 12 s for its end after every short training.
    """

    def _create_default_callbacks(self) -> list[Any]:
        made: list[Any] = super()._create_default_callbacks()
        return [each for each in made if type(each).__name__ not in LEFT_OUT]


def fit(job: Trainable, cluster: Cluster, failure_counter: FailureCounter | None = None) -> CurveWriter:
    """Train to the end and return the learning curve; what was trained is then in the run.

    ValueError if a worker refused its input, or if workers failed repeatedly at the same place.
    """
    monitor = start_monitor()
    release(unreleased(read_events(job.run, job.name)))
    remove_orphans()
    curve = CurveWriter(job.run, job.name)
    follower = Follower(job, curve)
    follower.note("begun", job.key)
    running = _in_background(partial(_train, job, cluster, monitor, failure_counter or FailureCounter()))
    while wait_for([running], timeout=0.5).not_done:
        follower.follow(ray.get(monitor.take.remote()))
    follower.follow(ray.get(monitor.take.remote()))
    follower.note(*_end_of(running))
    follower.save()
    curve.close()
    filesystem.delete(ray_folder(job.run, job.name))
    _raise_sentence(running)
    return curve


def _in_background(work: Callable[[], object]) -> Future[object]:
    """Runs `work` in a daemon thread: a pool's thread would keep an interrupted process alive until it is done."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, name="fit", daemon=True).start()
    return done


def _train(job: Trainable, cluster: Cluster, monitor: Any, failure_counter: FailureCounter) -> None:
    """Runs Ray Train to the end, and starts it again if the death of a worker has ended its controller.

    Ray 2.60 survives a worker's death while workers train and while they start, but not in the moments between.
    """
    while True:
        try:
            _trainer(job, cluster, monitor, failure_counter).fit()
            return
        except ControllerError as error:
            if not isinstance(error.controller_failure, RayActorError):
                raise
            failure = failure_of({0: error.controller_failure})
            monitor.note.remote("failed", failure.workers, detail=failure.sentence)
            if failure_counter.should_give_up(ray.get(monitor.furthest.remote())):
                raise ValueError(failure_counter.sentence(failure.sentence)) from error
        release(unreleased(read_events(job.run, job.name)))


def _end_of(ended: Future[object]) -> tuple[Kind, str]:
    """The kind of the final event, and its detail."""
    error = ended.exception()
    return ("finished", "") if error is None else ("stopped", sentence_of(error) or type(error).__name__)


def _raise_sentence(ended: Future[object]) -> None:
    """Raises a ValueError with the sentence that ended Ray Train; the error of a bug is raised unchanged."""
    try:
        ended.result()
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        raise ValueError(sentence) from error


def _trainer(job: Trainable, cluster: Cluster, monitor: Any, failure_counter: FailureCounter) -> Trainer:
    least, most = cluster.train_workers
    resources = {"CPU": cluster.cpus_per_worker} | ({"GPU": 1.0} if cluster.use_gpu else {})
    return Trainer(
        train_worker,
        train_loop_config={"job": job, "monitor": monitor},
        torch_config=TorchConfig(backend="nccl" if cluster.use_gpu else "gloo", timeout_s=SILENCE_SECONDS),
        scaling_config=ScalingConfig(
            num_workers=least if least == most else (least, most),
            use_gpu=cluster.use_gpu,
            resources_per_worker=resources,
            elastic_resize_monitor_interval_s=RESIZE_SECONDS,
        ),
        run_config=RunConfig(
            name=job.key,
            storage_path=ray_folder(job.run, job.name),
            # `recovery.Guard` decides when to give up.
            failure_config=FailureConfig(max_failures=-1, max_preemption_failures=-1),
            callbacks=callbacks(monitor, failure_counter),
        ),
    )
