"""When workers fail: which error is the cause, and when to give up. Nothing here has effects."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass

from ray.exceptions import RayActorError

# Failures in a row without one new block. A job on spot machines has hundreds of failures in total and must continue.
# A bug, or a block that is longer than a machine's lifetime, ends every attempt at the same place.
FAILURES_IN_A_ROW = 8
# Errors of a full disk, which no restart can fix.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass
class FailureCounter:
    """Counts failures since the last new block; a block that is trained again after a restart is not progress."""

    limit: int = FAILURES_IN_A_ROW
    furthest: int = 0
    failures: int = 0

    def should_give_up(self, block: int) -> bool:
        """Counts one more failure, and says whether to give up; `block` is the last block that was ever reached."""
        if block > self.furthest:
            self.furthest, self.failures = block, 0
        self.failures += 1
        return self.failures >= self.limit

    def sentence(self, error: str) -> str:
        return (
            f"workers failed {self.failures} times in a row before they had trained one block after block "
            f"{self.furthest}; the last error: {error}; fix that, then the same command continues from there (if "
            "machines do not last as long as a block, lower sync.block_slabs: training then starts over)"
        )


def refusal_of(errors: Mapping[int, Exception]) -> str | None:
    """A sentence if no restart can fix the error: bad input, or a full disk; None otherwise."""
    for error in errors.values():
        if type(error) is ValueError:  # raised by this product; libraries' subclasses may be temporary
            return " ".join(str(error).split())
        if isinstance(error, OSError) and error.errno in _FULL:
            return f"{' '.join(str(error).split())}; free some space, then the same command continues"
    return None


@dataclass(frozen=True)
class Failure:
    """`workers` counts those that died or raised the error in `sentence`; it is 0 if only connections broke."""

    workers: int
    sentence: str


def failure_of(errors: Mapping[int, Exception]) -> Failure:
    """The cause among the errors by rank: when one worker fails, the others lose their connections to it."""
    assert errors
    severities = {rank: _severity(error) for rank, error in errors.items()}
    worst = max(severities.values())
    failed_ranks = [rank for rank in sorted(errors) if severities[rank] == worst]
    return Failure(len(failed_ranks) if worst else 0, _sentence(errors[failed_ranks[0]]))


def _severity(error: Exception) -> int:
    if isinstance(_inner(error), RayActorError):
        return 1
    text = f"{type(error).__name__} {error}"
    return 0 if any(word in text for word in ("gloo", "NCCL", "DistBackend", "DistNetwork")) else 2


def _inner(error: Exception) -> Exception:
    """Ray Train wraps the death of a worker's process."""
    inner = getattr(error, "health_check_failure", error)
    return inner if isinstance(inner, Exception) else error


def _sentence(error: Exception) -> str:
    error = _inner(error)
    if _severity(error) == 0:
        return "connections between workers broke"
    if isinstance(error, RayActorError):
        return _why_dead(str(error))
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def _why_dead(text: str) -> str:
    """Ray's reason without the actor's ids: the first two sentences from "The actor" on."""
    flat = " ".join(text.split())
    reason = flat[flat.rfind("The actor ") :] if "The actor " in flat else flat
    return ". ".join(reason.split(". ")[:2])[:300].rstrip(".")
