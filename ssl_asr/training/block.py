"""A block of training: one worker's part of it, and what the learning curve keeps of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import SlabRef, SourceName
from ssl_asr.training.schedule import Cursor


@dataclass(frozen=True)
class BlockWork:
    """One worker's part of one block: positions in the stream of the phase's source, and the slabs at them.

    The whole block is `block`, a range of positions; the cursor after it is `next_cursor`.
    """

    phase: int
    block: range
    positions: range
    slabs: list[SlabRef]
    examples: list[Example]
    next_cursor: Cursor


@dataclass(frozen=True)
class BlockRecord:
    """One block as the learning curve keeps it, over all workers.

    `loss` and `figures` are means per unit of the objective's weight, such as nats a frame and shares. The loss is
    the objective's alone, so that networks and times can be compared; what an encoder adds has figures of its own.
    """

    block: int
    phase: int
    source: SourceName
    loss: float
    figures: Mapping[str, float]
    learning_rate: float
    slabs: int
    frames: int
    seconds: float
    workers: int
    whole: bool
    dropped: int
    meters: Mapping[str, float]
