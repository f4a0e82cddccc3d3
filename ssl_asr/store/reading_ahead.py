"""Reading ahead: threads read the next data while the current data are in use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Read = TypeVar("Read")


def read_ahead(reads: Iterable[Callable[[], Read]], depth: int = 1, *, threads: int = 1) -> Iterator[Read]:
    """The results of `reads` in their order; at most `depth` of them are read in advance, `threads` at a time."""
    pool, waiting = ThreadPoolExecutor(threads, "reading"), deque[Future[Read]]()
    try:
        for read in reads:
            waiting.append(pool.submit(read))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Not `with`, which waits for the threads: whoever takes no more results may be collected in one of them.
        pool.shutdown(wait=False, cancel_futures=True)
