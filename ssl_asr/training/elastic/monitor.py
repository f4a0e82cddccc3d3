"""The monitor: an actor. Workers and Ray Train's controller post events and records to it; the driver reads them.

It runs on the driver's machine, which training needs anyway. Its clock is the clock of all events.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ssl_asr.training.elastic.events import Event, Kind

if TYPE_CHECKING:  # the monitor's process starts faster without the module that writes curves
    from ssl_asr.training.curve import Record


@dataclass
class Updates:
    """Records and events since the driver's last read; after a restart `restarted` holds the curve to start from."""

    restarted: list[Record] | None = None
    records: list[Record] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@ray.remote(num_cpus=0)
class Monitor:
    def __init__(self) -> None:
        self._updates = Updates()
        self._furthest = self._workers = 0
        self._just_restored = False

    def note(self, kind: Kind, workers: int = 0, block: int = 0, detail: str = "") -> None:
        """Adds an event at this moment."""
        self._updates.events.append(Event(round(time.time(), 3), kind, workers, block, detail))

    def restart(self, curve: list[Record], workers: int) -> None:
        """So many workers have started or restarted after the blocks of `curve`.

        They say how many they are, because the controller's "started" may come later.
        """
        self._workers = workers
        self._updates.restarted, self._updates.records = curve, []
        self._reached(curve)
        self.note("restored", self._workers, max((record["block"] for record in curve), default=0))
        self._just_restored = True

    def post(self, record: Record) -> None:
        self._updates.records.append(record)
        self._reached([record])
        if self._just_restored:
            self._just_restored = False
            self.note("trained", self._workers, record["block"])

    def _reached(self, records: list[Record]) -> None:
        self._furthest = max([self._furthest, *(record["block"] for record in records)])

    def furthest(self) -> int:
        """Number of the last block ever trained; a restart may go back to an earlier block."""
        return self._furthest

    def take(self) -> Updates:
        taken, self._updates = self._updates, Updates()
        return taken


def start_monitor() -> Any:
    """Starts a monitor that stays on this machine, whatever nodes join or leave."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Monitor.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
