"""Python's search for reference cycles, put off while much is read that has none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cycles inside.

    The search looks at all objects again and again as their number grows: for 100,000 utterances it takes a third of
    the time of their reading. Objects without cycles are freed all the same.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
