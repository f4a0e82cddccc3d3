"""Ray Train's recovery, watched and hastened: the only place that touches Ray's internals.

Public is that a callback is told of workers' errors, which is enough to note failures and to give up. What else there
is comes through Ray's internal callbacks: the times of decisions and starts, and a fresh look at the cluster before
every decision, which Ray takes only every 20 s. Should they have moved in another version of Ray, training works
without them, recovers later, and one line says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import ray
from ray.train import UserCallback

from ssl_asr.training.failures import Patience, failure_of

logger = logging.getLogger(__name__)

try:
    from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import (
        get_or_create_autoscaling_coordinator,
    )
    from ray.train.v2._internal.execution.callback import ControllerCallback, WorkerGroupCallback

    INTERNALS = True
except ImportError as error:
    logger.warning("Ray %s keeps its recovery elsewhere (%s): training recovers later", ray.__version__, error)
    ControllerCallback = WorkerGroupCallback = UserCallback
    INTERNALS = False

REFRESH_SECONDS = 5.0  # between looks at the cluster while training
LEAVING_SECONDS = 15.0  # at most, until a machine that was lost is known to be gone


class Guard(UserCallback):
    """In Ray Train's controller: notes every failure on the board, and ends the run where restarts can't help."""

    def __init__(self, board: Any) -> None:
        self.board, self.patience = board, Patience()

    def after_exception(self, run_context: Any, worker_exceptions: Mapping[int, Exception]) -> None:
        """ValueError, by which Ray Train ends, where a worker refused its input or patience is over."""
        failure = failure_of(worker_exceptions)
        self.board.note.remote("failed", failure.workers, detail=failure.sentence)
        standing = ray.get(self.board.standing.remote())
        if standing.refused is not None:
            raise ValueError(standing.refused)
        if self.patience.is_over(standing.furthest):
            raise ValueError(self.patience.sentence(failure.sentence))


def harmless(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook whose errors, such as a moved internal of Ray's, are logged: Ray Train would end the run."""

    @wraps(hook)
    def safe(*args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            logger.warning("%s: %s: training goes on", hook.__name__, error)

    return safe


class Watch(ControllerCallback, WorkerGroupCallback):
    """In Ray Train's controller: posts decisions and starts, and has the coordinator look at the cluster afresh."""

    def __init__(self, board: Any) -> None:
        self.board = board
        self._refreshed = 0.0

    @harmless
    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        before, now = type(previous_state).__name__, type(current_state).__name__
        if now == "PreemptingState" and before != now:
            info = current_state.preemption_info
            self.board.note.remote("noticed", len(info.preempted_ranks))
        if now in ("RestartingState", "ReschedulingState") and before != now:
            if before == "PreemptingState":
                _wait_until_gone(previous_state.preemption_info.preempted_node_ids)
            self._refresh(wait=True)

    @harmless
    def before_controller_execute_resize_decision(self, resize_decision: Any) -> None:
        self.board.note.remote("decided", resize_decision.num_workers)

    @harmless
    def after_worker_group_training_start(self, worker_group: Any) -> None:
        self.board.note.remote("started", len(worker_group))

    @harmless
    def after_worker_group_poll_status(self, worker_group_status: Any) -> None:
        if time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self._refresh(wait=False)

    def _refresh(self, wait: bool) -> None:
        self._refreshed = time.monotonic()
        fresh = get_or_create_autoscaling_coordinator().get_reserved_resources.remote("none", recompute=True)
        if wait:
            ray.get(fresh, timeout=REFRESH_SECONDS)


def _wait_until_gone(node_ids: list[str]) -> None:
    """Until Ray knows that these machines are no more: a decision before would count on them."""
    until = time.monotonic() + LEAVING_SECONDS
    while time.monotonic() < until and any(node["Alive"] and node["NodeID"] in node_ids for node in ray.nodes()):
        time.sleep(0.2)


def callbacks(board: Any) -> list[UserCallback]:
    """For a RunConfig."""
    return [Guard(board), *([Watch(board)] if INTERNALS else [])]
