"""Scheduled learning: which slabs, at which learning rate, in which order; and the cursor in this schedule.

A source is an endless stream of slabs (`sources.py`), and a phase is a segment of it. The cursor is two integers: the
phase, and the slabs consumed in it. It does not depend on the workers, so any number of them can continue from it.
Every slab is consumed exactly once a phase, for any history of kills and resizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.training.data.sources import SourceName

LABELED, UNLABELED = "labeled", "unlabeled"  # objectives


@dataclass(frozen=True)
class Phase:
    """Slabs `first` to `first + count` of the source's stream.

    `offset` is the 30 ms feature offset (0, 1, 2). `whole` trains on whole utterances instead of chunks. If a phase
    `ends_sub_epoch`, the model after it is evaluated on dev data. `objective` names one of the job's.
    """

    source: SourceName
    first: int
    count: int
    learning_rate: float
    offset: int
    whole: bool
    ends_sub_epoch: bool = True
    objective: str = LABELED


@dataclass(frozen=True)
class Cursor:
    """All phases before `phase` are consumed, and `slabs` slabs of phase `phase`."""

    phase: int = 0
    slabs: int = 0


def next_block(schedule: Sequence[Phase], cursor: Cursor, slabs: int) -> tuple[range, Cursor]:
    """Stream positions of the next block of at most `slabs` slabs, and the cursor after it.

    A block never crosses a phase; the last block of a phase may be short.
    """
    phase = schedule[cursor.phase]
    taken = min(slabs, phase.count - cursor.slabs)
    begin = phase.first + cursor.slabs
    next_cursor = Cursor(cursor.phase, cursor.slabs + taken)
    if next_cursor.slabs == phase.count:
        next_cursor = Cursor(cursor.phase + 1, 0)
    return range(begin, begin + taken), next_cursor


def progress(schedule: Sequence[Phase], cursor: Cursor) -> float:
    """The share of the schedule's slabs before the cursor."""
    consumed = sum(phase.count for phase in schedule[: cursor.phase]) + cursor.slabs
    return consumed / sum(phase.count for phase in schedule)


def assign(positions: range, workers: int) -> list[range]:
    """Assigns a block's positions to workers in turn; with fewer slabs than workers, some assignments are empty."""
    return [positions[worker::workers] for worker in range(workers)]
