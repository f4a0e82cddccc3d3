"""The sentence inside an error that crossed processes: Ray wraps a worker's ValueError in long tracebacks."""

from __future__ import annotations

import re


def sentence_of(error: BaseException) -> str | None:
    """The text of the ValueError that `error` is or was caused by; None where a bug, not input, is to blame.

    Ray hands a task's error over as `RayTaskError(ValueError)`, whose own text is the remote traceback and
    whose `cause` is the error as raised; Ray Train adds a dict by worker rank. Ray Data and actors lose the
    links on the way between processes, so there only the traceback's text still tells.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        inner = _inside(current)
        if isinstance(current, ValueError) and not _is_rays(current):
            return " ".join(str(current).split())
        if _is_rays(current) and all(map(_is_rays, inner)):
            told = re.findall(r"^ValueError: (.+)$", str(current), re.MULTILINE)
            if told:
                return str(told[-1])
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


def _is_rays(error: BaseException) -> bool:
    return any(kind.__module__.split(".")[0] == "ray" for kind in type(error).__mro__)
