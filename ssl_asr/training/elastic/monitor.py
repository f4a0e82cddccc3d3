"""The monitor: an actor on which workers and Ray Train's controller post what happens, and the driver reads it.

It lies on the driver's machine, which training can't do without anyway, and its clock is the one of all events.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ssl_asr.training.elastic.events import Event, Kind

if TYPE_CHECKING:  # the monitor's process starts sooner without what writes curves
    from ssl_asr.training.curve import Record


@dataclass
class Updates:
    """Records since the driver last looked; `restarted` holds the curve to begin again from, if it did."""

    restarted: list[Record] | None = None
    records: list[Record] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@ray.remote(num_cpus=0)
class Monitor:
    def __init__(self) -> None:
        self._news = Updates()
        self._furthest = self._workers = 0
        self._just_restored = False

    def note(self, kind: Kind, workers: int = 0, block: int = 0, detail: str = "") -> None:
        """An event, now."""
        if kind == "started":
            self._workers = workers
        self._news.events.append(Event(round(time.time(), 3), kind, workers, block, detail))

    def restart(self, curve: list[Record]) -> None:
        """Workers have begun, or begun again, after the blocks of `curve`."""
        self._news.restarted, self._news.records = curve, []
        self._reached(curve)
        self.note("restored", self._workers, max((record["block"] for record in curve), default=0))
        self._just_restored = True

    def post(self, record: Record) -> None:
        self._news.records.append(record)
        self._reached([record])
        if self._just_restored:
            self._just_restored = False
            self.note("trained", self._workers, record["block"])

    def _reached(self, records: list[Record]) -> None:
        self._furthest = max([self._furthest, *(record["block"] for record in records)])

    def furthest(self) -> int:
        """Number of the last block ever trained; restarts go back behind it."""
        return self._furthest

    def take(self) -> Updates:
        taken, self._news = self._news, Updates()
        return taken


def start_monitor() -> Any:
    """A monitor on this machine, whatever else comes and goes."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Monitor.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
