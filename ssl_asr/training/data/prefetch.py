"""Reading ahead: a thread reads the next data while training uses the current data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Read = TypeVar("Read")


def read_ahead(reads: Iterable[Callable[[], Read]], depth: int = 1) -> Iterator[Read]:
    """The results of `reads` in their order; at most `depth` of them are read in advance."""
    with ThreadPoolExecutor(1, "reading") as thread:
        waiting: deque[Future[Read]] = deque()
        for read in reads:
            waiting.append(thread.submit(read))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
