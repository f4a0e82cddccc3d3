"""Finds the sentence in an error from another process: Ray wraps a worker's ValueError in long tracebacks."""

from __future__ import annotations

import re


def sentence_of(error: BaseException) -> str | None:
    """The text of the ValueError that `error` is or was caused by; None if the cause is a bug and not the input.

    Ray raises a task's error as `RayTaskError(ValueError)`: its text is the remote traceback, and its `cause` is the
    original error. Ray Train adds a dict by worker rank. Ray Data and actors lose these links between processes, so
    only the traceback's text has the sentence.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        inner = _inside(current)
        if isinstance(current, ValueError) and not _is_from_ray(current):
            return " ".join(str(current).split())
        if _is_from_ray(current) and all(map(_is_from_ray, inner)):
            sentences = re.findall(r"^ValueError: (.+)$", str(current), re.MULTILINE)
            if sentences:
                return str(sentences[-1])
        waiting.extend(inner)
    return None


def _inside(error: BaseException) -> list[BaseException]:
    candidates = [
        getattr(error, "cause", None),
        *dict(getattr(error, "worker_failures", {})).values(),
        getattr(error, "controller_failure", None),
        error.__cause__,
    ]
    return [each for each in candidates if isinstance(each, BaseException)]


def _is_from_ray(error: BaseException) -> bool:
    return any(kind.__module__.split(".")[0] == "ray" for kind in type(error).__mro__)
