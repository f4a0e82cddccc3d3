"""Waits and tries again while an object store does not answer. All that the store package reads and writes does so.

The SDK of the object store tries a request a few times, within seconds. This outlasts it: an outage of about 20 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Seconds before each further attempt; then the last error is raised.
PAUSES = (1.0, 4.0, 16.0)
_PAUSES: ContextVar[tuple[float, ...] | None] = ContextVar("pauses", default=None)


def is_outage(error: Exception) -> bool:
    """Whether an object store did not do what was asked, for a reason that passes with time."""
    return isinstance(error, OSError) and any(store in str(error) for store in ("AWS Error", "google::cloud"))


def retried(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`work`, which may be done twice, done again after each of PAUSES while an object store does not answer."""

    @wraps(work)
    def do(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        pauses = _PAUSES.get()
        for pause in PAUSES if pauses is None else pauses:
            try:
                return work(*args, **kwargs)
            except OSError as error:
                if not is_outage(error):
                    raise
                time.sleep(pause)
        return work(*args, **kwargs)

    return do


@contextmanager
def without_retries() -> Iterator[None]:
    """Inside, an outage is an OSError at once. For a thread that has something better to do than to wait."""
    token = _PAUSES.set(())
    try:
        yield
    finally:
        _PAUSES.reset(token)
