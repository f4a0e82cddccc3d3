"""Watches Ray Train's recovery and makes it faster. Only this module, and `fit.Trainer`, use Ray's internals.

Ray's public callback gets the workers' errors. This is enough to note failures and to give up. Ray's internal
callbacks give the rest: the times of decisions and starts, and a refreshed view of the cluster before every decision,
which Ray refreshes only every 20 s. If another version of Ray has moved them, training works without them: it
recovers later, and one line says so.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import wraps
from typing import Any

import ray
from ray.train import UserCallback
from ray.util.placement_group import PlacementGroup, remove_placement_group

from ssl_asr.training.elastic.failure_counter import FailureCounter, failure_of, refusal_of

logger = logging.getLogger(__name__)

try:
    from ray._private import state
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData
    from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import (
        get_or_create_autoscaling_coordinator,
    )
    from ray.train.v2._internal.execution.callback import ControllerCallback, WorkerGroupCallback

    INTERNALS = True
except ImportError as error:
    logger.warning("Ray %s has other internals (%s): training recovers later after a failure", ray.__version__, error)
    ControllerCallback, WorkerGroupCallback = (type(name, (), {}) for name in ("Controller", "WorkerGroup"))
    INTERNALS = False

REFRESH_SECONDS = 5.0  # between views of the cluster while training
WAITING = ("InitializingState", "RestartingState", "ReschedulingState")  # for resources for the minimum of workers
PAUSE_SECONDS, WAITING_REFRESH_SECONDS = 0.2, 1.0
GONE_SECONDS = 20.0  # at most, until Ray knows that a machine is gone; with Ray's settings this takes 15
REACH_SECONDS = 2.0  # limit for a machine to answer
PARALLEL_LOOKS = 32


class Guard(UserCallback):
    """In Ray Train's controller: posts every failure to the monitor, and ends the run if restarts can't help."""

    def __init__(self, monitor: Any, failure_counter: FailureCounter) -> None:
        self.monitor, self.failure_counter = monitor, failure_counter

    def after_exception(self, run_context: Any, worker_exceptions: Mapping[int, Exception]) -> None:
        """ValueError, which ends Ray Train, if a worker refused its input or there were too many failures."""
        failure = failure_of(worker_exceptions)
        self.monitor.note.remote("failed", failure.workers, detail=failure.sentence)
        refused = refusal_of(worker_exceptions)
        if refused is not None:
            raise ValueError(refused)
        if self.failure_counter.should_give_up(ray.get(self.monitor.furthest.remote())):
            raise ValueError(self.failure_counter.sentence(failure.sentence))


def log_errors(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook that logs its errors, such as a moved internal of Ray; otherwise Ray Train would end the run."""

    @wraps(hook)
    def safe(*args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            logger.warning("%s: %s: training continues", hook.__name__, error)

    return safe


class Watch(ControllerCallback, WorkerGroupCallback):
    """In Ray Train's controller: posts decisions and starts, and refreshes the view of the cluster for decisions.

    Without it Ray would place workers on dead machines that it does not know to be dead, until a timeout.
    """

    def __init__(self, monitor: Any) -> None:
        self.monitor = monitor
        self._refreshed = 0.0
        self._node_ids: set[str] = set()  # of the machines that workers are on

    @log_errors
    def after_controller_start(self, train_run_context: Any) -> None:
        self.monitor.note.remote("requested", detail=f"train-{train_run_context.run_id}")

    @log_errors
    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        before, now = type(previous_state).__name__, type(current_state).__name__
        if now == "PreemptingState" and before != now:
            self.monitor.note.remote("noticed", len(current_state.preemption_info.preempted_ranks))
        if now == before and now in WAITING:
            # Ray asks again without a pause, which takes a whole core, and its view of the cluster is 20 s old.
            time.sleep(PAUSE_SECONDS)
            if time.monotonic() - self._refreshed > WAITING_REFRESH_SECONDS:
                remove_orphans()
                self._refresh(wait=True)
        if now in ("RestartingState", "ReschedulingState") and before != now:
            leaving = previous_state.preemption_info.preempted_node_ids if before == "PreemptingState" else []
            remove_orphans()
            wait_until_gone(unreachable(self._node_ids) | set(leaving))
            self._refresh(wait=True)

    @log_errors
    def before_controller_execute_resize_decision(self, resize_decision: Any) -> None:
        self.monitor.note.remote("decided", resize_decision.num_workers)

    @log_errors
    def after_worker_group_start(self, worker_group: Any) -> None:
        self._node_ids = {worker.metadata.node_id for worker in worker_group.get_workers()}

    @log_errors
    def after_worker_group_training_start(self, worker_group: Any) -> None:
        self.monitor.note.remote("started", len(worker_group))

    @log_errors
    def after_worker_group_poll_status(self, worker_group_status: Any) -> None:
        if time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self._refresh(wait=False)

    def _refresh(self, wait: bool) -> None:
        self._refreshed = time.monotonic()
        fresh = get_or_create_autoscaling_coordinator().get_reserved_resources.remote("none", recompute=True)
        if wait:
            ray.get(fresh, timeout=REFRESH_SECONDS)


@log_errors
def release(requests: Iterable[str]) -> None:
    """Release the requests of killed drivers: Ray would keep the machines for them for three more minutes."""
    for request in requests if INTERNALS else ():
        ray.get(get_or_create_autoscaling_coordinator().cancel_request.remote(request), timeout=REFRESH_SECONDS)


@log_errors
def remove_orphans() -> None:
    """Remove placement groups of drivers that were killed while making them: Ray 2.60 would keep their machines.

    A group that is not detached ends with its driver, unless it was created a moment after the driver's death.
    """
    if not INTERNALS:
        return
    dead = {job["JobID"] for job in state.jobs() if job["IsDead"]}
    for packed in state.state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(packed)
        is_orphan = group.creator_job_id.hex() in dead and not group.is_detached
        if is_orphan and group.state != PlacementGroupTableData.REMOVED:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))


def unreachable(node_ids: Iterable[str]) -> set[str]:
    """Those of the machines that Ray believes alive but whose raylets do not answer."""
    wanted = set(node_ids)
    nodes = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] in wanted]
    with ThreadPoolExecutor(PARALLEL_LOOKS) as threads:
        answers = list(threads.map(_answers, nodes))
    return {node["NodeID"] for node, answered in zip(nodes, answers, strict=True) if not answered}


def _answers(node: Mapping[str, Any]) -> bool:
    place = (node["NodeManagerAddress"], node["NodeManagerPort"])
    with suppress(OSError), socket.create_connection(place, timeout=REACH_SECONDS):
        return True
    return False


def wait_until_gone(node_ids: set[str]) -> None:
    """Waits until Ray also knows that these machines are gone."""
    until = time.monotonic() + GONE_SECONDS
    while time.monotonic() < until and any(node["Alive"] and node["NodeID"] in node_ids for node in ray.nodes()):
        time.sleep(0.1)


def callbacks(monitor: Any, failure_counter: FailureCounter) -> list[UserCallback]:
    """For a RunConfig."""
    return [Guard(monitor, failure_counter), *([Watch(monitor)] if INTERNALS else [])]
