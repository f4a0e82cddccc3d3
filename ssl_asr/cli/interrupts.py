"""Ctrl-C that ends a live session in order: never in the middle of work, at once while waiting."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupts:
    """While it is entered, the first Ctrl-C ends what `until` gives, and a second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.came = self._waits = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def until(self, items: Iterable[T]) -> Iterator[T]:
        """The items, until Ctrl-C; the wait for one is broken off."""
        following = iter(items)
        try:
            while True:
                self._waits = True
                if self.came:
                    return
                item = next(following, None)
                self._waits = False
                if item is None:
                    return
                yield item
        except KeyboardInterrupt:
            if not self._waits:
                raise
        finally:
            self._waits = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._waits or self.came:
            self.came = True
            raise KeyboardInterrupt
        self.came = True
