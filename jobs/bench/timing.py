"""How long a piece of work takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """The least processor time of several rounds."""
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return 1000 * min(spent)
