"""Joining Ray: the cluster that a job was submitted to, or one of our own on this machine.

Ray is imported when it is joined, so that what only looks at a run, such as a dry run, does not wait for it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

# Ray reads these when it is imported or when training starts. Existing values win.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# Ray Train's recovery, in seconds. Between checks of the workers, and of machines with a preemption notice:
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
os.environ.setdefault("RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S", "1")
# Until workers that do not start count as lost with their machines, and others are placed:
os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "20")
# Until a worker that does not answer counts as lost:
os.environ.setdefault("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", "60")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@contextmanager
def joined(variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Ray runs inside the block; a cluster that was started here is shut down at the end.

    `variables` are for the environment of all that this driver places there.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    # Ray's hint about authentication does not concern a local cluster.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    try:
        _join(variables or {})
    except ValueError:
        raise
    except Exception as error:  # Ray raises all kinds, often a bare Exception
        message = " ".join(str(error).split())
        raise ValueError(f"Ray cannot be started or joined ({message}); give the same command again") from error
    _silence_ray_data()
    _end_by_sigterm_as_by_ctrl_c()
    try:
        yield
    finally:
        ray.shutdown()


def as_task(
    function: Callable[Arguments, Result], num_cpus: float = 1.0, num_gpus: float = 0.0
) -> Callable[Arguments, Result]:
    """`function` as a Ray task that is waited for.

    The driver may run on a small head node: what takes long or needs a GPU runs on the cluster, near the data.
    """
    import ray

    task = ray.remote(function).options(num_cpus=num_cpus, num_gpus=num_gpus)

    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        result: Result = result_of(task.remote(*args, **kwargs))
        return result

    return call


def result_of(reference: Any) -> Any:
    """What the task of this reference returned; what it raised is raised here, without Ray's trace."""
    import ray
    from ray.exceptions import RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause from None


def _join(variables: Mapping[str, str]) -> None:
    import ray

    environment = {"env_vars": dict(variables)} if variables else None

    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level="WARNING", log_to_driver=False, runtime_env=environment)
    else:
        # Two workers of half a CPU, their coordinator and a reader must fit, even on one core.
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, 2),
            include_dashboard=False,
            logging_level="WARNING",
            log_to_driver=False,
            object_store_memory=512 * 2**20,
            runtime_env=environment,
        )


def _end_by_sigterm_as_by_ctrl_c() -> None:
    """Makes SIGTERM end the process like Ctrl-C; Ray's own handler would print a stack dump."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _silence_ray_data() -> None:
    """Hides Ray Data's progress bars and messages; stages show their own progress."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
