"""What happened to the workers of a training, and when: `training/<name>/events.jsonl`.

The file covers every driver that trained the model with the same key. It records restarts, resizes and the parts of a
recovery: detect (until the loss is noticed), decide (how many workers continue), start (their processes and
connections) and load (the newest checkpoint). All times are from the clock of the driver's machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import events_uri

Kind = Literal[
    "begun", "requested", "failed", "noticed", "decided", "started", "restored", "trained", "stopped", "finished"
]


@dataclass(frozen=True)
class Event:
    """`at` is in seconds since 1970; `workers`, `block` and `detail` depend on the kind:

    begun: a driver has started, `detail` is the key. requested: machines were requested from Ray under the name
    `detail`. failed: number of failed workers, `detail` is the error. noticed: number of workers on machines with a
    preemption notice. decided: number of workers that will continue. started: all workers are connected. restored:
    they continue after `block`. trained: `block` is the first block since. stopped: training was given up, `detail`
    says why.
    """

    at: float
    kind: Kind
    workers: int = 0
    block: int = 0
    detail: str = ""


_EVENT = TypeAdapter(Event)


@dataclass(frozen=True)
class Recovery:
    """Seconds of the four parts of one recovery; their sum is the time without training."""

    detect: float
    decide: float
    start: float
    load: float

    @property
    def seconds(self) -> float:
        return self.detect + self.decide + self.start + self.load


def read_events(run: str, name: str) -> list[Event]:
    """ValueError naming the file if it is damaged."""
    uri = events_uri(run, name)
    if not filesystem.exists(uri):
        return []
    try:
        return [_EVENT.validate_json(line) for line in filesystem.read_bytes(uri).splitlines()]
    except ValidationError as error:
        raise ValueError(f"{uri} is not a list of events ({error.errors()[0]['msg']}); delete it") from error


class EventLog:
    """The events of a training, stored in the run; events of another key belong to another model and are removed."""

    def __init__(self, run: str, name: str, key: str) -> None:
        self._uri = events_uri(run, name)
        kept = read_events(run, name)
        same_key = [event.detail for event in kept if event.kind == "begun"][-1:] == [key]
        self.events = kept if same_key else []
        self._unsaved = False

    def add(self, event: Event) -> None:
        self.events.append(event)
        self._unsaved = True

    def save(self) -> None:
        """Write the events, if there are new ones; after a failure it may be called again."""
        if self._unsaved:
            filesystem.write_bytes(self._uri, b"".join(_EVENT.dump_json(event) + b"\n" for event in self.events))
            self._unsaved = False


def restarts(events: Sequence[Event]) -> int:
    """Number of restarts of the workers; the first start does not count."""
    return max(sum(event.kind == "restored" for event in events) - 1, 0)


def unreleased(events: Sequence[Event]) -> list[str]:
    """Names of the requests of drivers that were killed before they could release them."""
    ends = [number for number, event in enumerate(events) if event.kind in ("stopped", "finished")]
    since = events[ends[-1] + 1 :] if ends else events
    return [event.detail for event in since if event.kind == "requested"]


def going_on(events: Sequence[Event]) -> str:
    """The last event, "restored", as text for the user: why, how many workers, and from which block."""
    assert events[-1].kind == "restored"
    before = [number for number, event in enumerate(events[:-1]) if event.kind in ("restored", "begun")][-1:]
    since = events[before[0] + 1 if before else 0 : -1]
    workers, block = events[-1].workers, events[-1].block
    go_on = f"{_workers(workers)} {'continues' if workers == 1 else 'continue'} from block {block}"
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
    reason = (
        f"{_workers(lost)} {'was' if lost == 1 else 'were'} lost ({failed[-1].detail})" if lost else failed[-1].detail
    )
    before = len(failed) - 1
    return f"{reason}, after {before} failure{'' if before == 1 else 's'} before" if before else reason


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"


def recovery_after(events: Sequence[Event], lost_at: float) -> Recovery | None:
    """The recovery from a loss at `lost_at`; None if there was none, or if the loss was not noticed.

    If a first attempt failed, the time until the last decision counts as deciding.
    """
    after = [event for event in events if event.at >= lost_at]
    restored = next((place for place, event in enumerate(after) if event.kind == "restored"), None)
    if restored is None:
        return None
    steps = after[: restored + 1]
    detected = next((event.at for event in steps if event.kind in ("failed", "begun")), None)
    decided = _last(steps, "decided")
    started = _last(steps, "started")
    if detected is None or decided is None or started is None:
        return None
    return Recovery(detected - lost_at, decided - detected, started - decided, steps[-1].at - started)


def _last(events: Sequence[Event], kind: Kind) -> float | None:
    return next((event.at for event in reversed(events) if event.kind == kind), None)
