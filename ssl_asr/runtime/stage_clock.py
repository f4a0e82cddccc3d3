"""The clock of a stage at work: times add up over interruptions, kill -9 among them, and a second process is refused.

A heartbeat is a small file that a stage at work rewrites every few seconds. Who finds one knows how long the stage
took so far, and whether another process is still at it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from ssl_asr.progress import Step
from ssl_asr.recipe import Recipe
from ssl_asr.runtime import ownership
from ssl_asr.runtime.stage_report import ACTOR_HOURS, StageReport, keep_report, read_report
from ssl_asr.store import filesystem
from ssl_asr.store.layout import heartbeat_uri, stages_folder
from ssl_asr.store.ledger import Reject
from ssl_asr.store.listing import list_temporary
from ssl_asr.store.retry import without_retries

CLAIM_SECONDS = 1.0  # for another process that begins in the same moment to say so
HEARTBEAT_SECONDS = 5.0  # between notes of the time spent: what a kill can lose of it


@dataclass(frozen=True)
class Heartbeat:
    """What an unfinished stage has taken so far: `seconds` on the clock, `work_seconds` of its actors.

    `step` is the one under way, of a stage that tells its steps.
    """

    key: str
    seconds: float
    work_seconds: float = 0.0
    owner: str = ""
    step: Step | None = None


def read_heartbeat(recipe: Recipe, stage: str) -> Heartbeat | None:
    """The last heartbeat of an unfinished stage; None if the stage has finished or never started."""
    uri = heartbeat_uri(recipe.run, stage)
    if not filesystem.exists(uri):
        return None
    values = json.loads(filesystem.read_bytes(uri))
    step = values.pop("step", None)
    return Heartbeat(**values, step=Step(**step) if step else None)


def refuse_second(recipe: Recipe, stage: str) -> None:
    """ValueError if another process is running the stage; this takes up to two heartbeats to find out.

    It is for stages that two processes must not run at the same time. Shard jobs may: shards are published whole.
    """
    uri, heartbeat = heartbeat_uri(recipe.run, stage), read_heartbeat(recipe, stage)
    if heartbeat is None or not ownership.may_be_running(heartbeat.owner):
        return
    before, until = filesystem.modified(uri), time.monotonic() + 2 * HEARTBEAT_SECONDS
    while filesystem.modified(uri) == before:
        if time.monotonic() > until:
            return
        time.sleep(0.5)
    raise ValueError(_taken(recipe, stage, heartbeat.owner))


def _taken(recipe: Recipe, stage: str, owner: str) -> str:
    who = ownership.name_of(owner) or "another process"
    return f"{recipe.run}: {who} is running {stage}; wait for it or stop it, then give the same command again"


class StageClock:
    """Measures a stage from its start; `finish` stores its report, with the time of interrupted attempts included."""

    def __init__(self, recipe: Recipe, stage: str, key: str) -> None:
        self.recipe, self.stage, self.key = recipe, stage, key
        self._began = time.monotonic()
        self._before = self._worked = 0.0
        self._adding = threading.Lock()
        self._step: Step | None = None
        report, heartbeat = read_report(recipe, stage), read_heartbeat(recipe, stage)
        if report is not None and report.key == key:
            self._before, self._worked = report.seconds, 3600 * float(report.figures.get(ACTOR_HOURS, 0.0))
        if heartbeat is not None and heartbeat.key == key:
            self._before, self._worked = (
                max(self._before, heartbeat.seconds),
                max(self._worked, heartbeat.work_seconds),
            )
        for left in list_temporary(stages_folder(recipe.run)):
            if f"/{stage}." in left:  # a heartbeat that a killed attempt was writing
                filesystem.delete(left)
        self._stop = threading.Event()
        self._heartbeats = threading.Thread(target=_heartbeat, args=(weakref.ref(self), self._stop), daemon=True)
        self._heartbeats.start()

    def claim(self) -> None:
        """ValueError if another process started the stage at the same moment; the last heartbeat wins."""
        self.heartbeat()
        time.sleep(CLAIM_SECONDS)
        heartbeat = read_heartbeat(self.recipe, self.stage)
        if heartbeat is None or heartbeat.owner != ownership.THIS_PROCESS:
            raise ValueError(_taken(self.recipe, self.stage, heartbeat.owner if heartbeat else ""))

    def work(self, seconds: float) -> None:
        """Add `seconds` of one actor's time; any thread may call it."""
        with self._adding:
            self._worked += seconds

    def note(self, step: Step | None) -> None:
        """The step under way, for the next heartbeat."""
        self._step = step

    def heartbeat(self) -> None:
        """Store the time spent, for the next attempt if this one is killed."""
        spent = self._before + time.monotonic() - self._began
        note = Heartbeat(self.key, round(spent, 2), round(self._worked, 3), ownership.THIS_PROCESS, self._step)
        filesystem.write_bytes(heartbeat_uri(self.recipe.run, self.stage), json.dumps(asdict(note)).encode())

    def finish(
        self,
        pieces: int,
        skipped: int,
        rejects: Iterable[Reject] = (),
        figures: Mapping[str, float | str] | None = None,
        *,
        rejected: int | None = None,
    ) -> StageReport:
        """Store and return the report, and store the list of rejects; the actors' time is added to the figures.

        `rejected` is their number where the list does not have all.
        """
        self._stop.set()
        self._heartbeats.join()
        rejects = list(rejects)
        spent = time.monotonic() - self._began
        seconds = self._before + (spent if skipped < pieces else 0.0)
        worked = {ACTOR_HOURS: round(self._worked / 3600, 6)} if self._worked else {}
        count = len(rejects) if rejected is None else rejected
        report = StageReport(
            self.stage, self.key, round(seconds, 2), pieces, skipped, count, {**(figures or {}), **worked}
        )
        keep_report(self.recipe, report, rejects)
        filesystem.delete(heartbeat_uri(self.recipe.run, self.stage))
        return report


def _heartbeat(clock_of: weakref.ref[StageClock], stop: threading.Event) -> None:
    # A weak reference: when a stage fails, its clock is freed and the heartbeats end.
    while not stop.wait(HEARTBEAT_SECONDS):
        stage_clock = clock_of()
        if stage_clock is None:
            return
        # A disk or a store may be unreachable for a moment; if it stays so, the stage itself reports it.
        with contextlib.suppress(OSError, ValueError), without_retries():
            stage_clock.heartbeat()
        del stage_clock
