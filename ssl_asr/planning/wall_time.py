"""The wall-clock time of a stage's work on devices or cores, with its start, waiting and losses to preemption."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.planning.compute import FRAMES_AN_HOUR, Devices
from ssl_asr.planning.facts import Fact


@dataclass(frozen=True)
class Hardware:
    """`cpus` cores beside the training devices; `gbit` a second of each machine; `kills` of one machine an hour."""

    devices: Devices
    cpus: int
    gbit: Fact
    kills: Fact
    recovery: Fact


@dataclass(frozen=True)
class StageTime:
    """`work_hours` of `kind` without losses; `wall_seconds` from start to end; `lost`: share lost to preemption."""

    stage: str
    kind: str
    devices: int
    work_hours: float
    wall_seconds: float
    efficiency: float
    lost: float
    formula: str
    source: str

    @property
    def held_hours(self) -> float:
        """Hours of all its devices, including waiting and restarts; these hours are paid."""
        return self.devices * self.wall_seconds / 3600


def on_devices(
    stage: str,
    kind: str,
    devices: int,
    *,
    hours: float,
    rate: Fact,
    start: Fact,
    formula: str,
    efficiency: float = 1.0,
    lost: float = 0.0,
) -> StageTime:
    """A stage of networks, for `hours` of speech; `rate` is one device's seconds for one 30 ms frame."""
    work = hours * FRAMES_AN_HOUR * rate.value
    wall = start.value + work / (devices * efficiency * (1 - lost))
    return StageTime(stage, kind, devices, work / 3600, wall, efficiency, lost, formula, rate.source)


def on_cores(stage: str, hours: float, start: Fact, cluster: Hardware, formula: str, source: str) -> StageTime:
    """A stage of tasks that CPU cores do, for `hours` of one core."""
    wall = start.value + hours * 3600 / cluster.cpus
    return StageTime(stage, "core", cluster.cpus, hours, wall, 1.0, 0.0, formula, source)
