"""What happened to the workers of a training, and when: `training/<name>/events.jsonl`.

The file tells of every driver that trained the model with the same key, and so of restarts, resizes and where the
time of a recovery went: detect (until the loss is noticed), decide (how many workers go on), start (their processes
and connections) and load (the newest checkpoint). All times are by the clock of the driver's machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ssl_asr.store import filesystem
from ssl_asr.store.layout import events_uri

Kind = Literal[
    "begun", "requested", "failed", "noticed", "decided", "started", "restored", "trained", "stopped", "finished"
]


@dataclass(frozen=True)
class Event:
    """`at` is in seconds since 1970; `workers`, `block` and `detail` depend on the kind:

    begun: a driver, `detail` is the key. requested: machines, of Ray, by the name `detail`. failed: so many workers,
    `detail` is the error. noticed: so many workers are on machines that will be taken away. decided: to go on with so
    many. started: they have met. restored: they go on behind `block`. trained: `block` is the first one since.
    stopped: given up, `detail` says why.
    """

    at: float
    kind: Kind
    workers: int = 0
    block: int = 0
    detail: str = ""


_EVENT = TypeAdapter(Event)


@dataclass(frozen=True)
class Recovery:
    """Seconds that one way back to training took; the sum of the four is the time without any training."""

    detect: float
    decide: float
    start: float
    load: float

    @property
    def seconds(self) -> float:
        return self.detect + self.decide + self.start + self.load


def read_events(run: str, name: str) -> list[Event]:
    """ValueError naming the file where it is damaged."""
    uri = events_uri(run, name)
    if not filesystem.exists(uri):
        return []
    try:
        return [_EVENT.validate_json(line) for line in filesystem.read_bytes(uri).splitlines()]
    except ValidationError as error:
        raise ValueError(f"{uri} is not a list of events ({error.errors()[0]['msg']}); delete it") from error


class EventLog:
    """The events of a training, kept in the run; those of another key are those of another model and go."""

    def __init__(self, run: str, name: str, key: str) -> None:
        self._uri = events_uri(run, name)
        kept = read_events(run, name)
        mine = [event.detail for event in kept if event.kind == "begun"][-1:] == [key]
        self.events = kept if mine else []
        self._unsaved = False

    def add(self, event: Event) -> None:
        self.events.append(event)
        self._unsaved = True

    def save(self) -> None:
        """Write them, if there are new ones; may be done again where it fails."""
        if self._unsaved:
            filesystem.write_bytes(self._uri, b"".join(_EVENT.dump_json(event) + b"\n" for event in self.events))
            self._unsaved = False


def restarts(events: Sequence[Event]) -> int:
    """How often workers went on again, after the first time."""
    return max(sum(event.kind == "restored" for event in events) - 1, 0)


def unreleased(events: Sequence[Event]) -> list[str]:
    """Names of the requests of drivers that were killed before they could take them back."""
    ends = [number for number, event in enumerate(events) if event.kind in ("stopped", "finished")]
    since = events[ends[-1] + 1 :] if ends else events
    return [event.detail for event in since if event.kind == "requested"]


def going_on(events: Sequence[Event]) -> str:
    """What the last event, "restored", means to a person: why, how many workers, and from where."""
    assert events[-1].kind == "restored"
    before = [number for number, event in enumerate(events[:-1]) if event.kind in ("restored", "begun")][-1:]
    since = events[before[0] + 1 if before else 0 : -1]
    workers, block = events[-1].workers, events[-1].block
    go_on = f"{_workers(workers)} {'goes' if workers == 1 else 'go'} on from block {block}"
    first = not before or events[before[0]].kind == "begun"
    reason = _reason(since) or ("" if first else "the cluster has changed")
    return f"{reason}; {go_on}" if reason else go_on


def _reason(since: Sequence[Event]) -> str:
    failed = [event for event in since if event.kind == "failed"]
    noticed = [event for event in since if event.kind == "noticed"]
    if noticed:
        return "a machine was taken away after notice"
    if not failed:
        return ""
    lost = failed[-1].workers
    told = (
        f"{_workers(lost)} {'was' if lost == 1 else 'were'} lost ({failed[-1].detail})" if lost else failed[-1].detail
    )
    before = len(failed) - 1
    return f"{told}, after {before} failure{'' if before == 1 else 's'} before" if before else told


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"


def recovery_after(events: Sequence[Event], lost_at: float) -> Recovery | None:
    """How workers came back from a loss at `lost_at`; None where they did not, or nobody noticed it.

    Where a first attempt failed, the time until the last decision counts as deciding.
    """
    after = [event for event in events if event.at >= lost_at]
    back = next((place for place, event in enumerate(after) if event.kind == "restored"), None)
    if back is None:
        return None
    way = after[: back + 1]
    detected = next((event.at for event in way if event.kind in ("failed", "begun")), None)
    decided = _last(way, "decided")
    started = _last(way, "started")
    if detected is None or decided is None or started is None:
        return None
    return Recovery(detected - lost_at, decided - detected, started - decided, way[-1].at - started)


def _last(events: Sequence[Event], kind: Kind) -> float | None:
    return next((event.at for event in reversed(events) if event.kind == kind), None)
