"""What every stage of the pipeline returns, and how it is kept in the run.

A stage is one function `run_<stage>(recipe) -> StageReport`. It reads and writes the run's directory, skips
what is done, and ends with one line of figures. Times add up over interruptions, kill -9 among them.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from ssl_asr.progress import clock
from ssl_asr.recipe import Recipe
from ssl_asr.runtime import ownership
from ssl_asr.store import filesystem
from ssl_asr.store.layout import heartbeat_uri, rejects_uri, stage_report_uri, stages_folder
from ssl_asr.store.ledger import Reject
from ssl_asr.store.retry import without_retries

CLAIM_SECONDS = 1.0  # for another process that begins in the same moment to say so
HEARTBEAT_SECONDS = 5.0  # between notes of the time spent: what a kill can lose of it
ACTOR_HOURS = "actor hours"  # the figure that tells how long actors worked, all of them together


@dataclass(frozen=True)
class StageReport:
    """`pieces` is what was asked for (shards, blocks, utterances), `skipped` how many of them were found done."""

    stage: str
    key: str
    seconds: float
    pieces: int
    skipped: int
    rejected: int
    figures: Mapping[str, float | str] = field(default_factory=dict)

    def line(self) -> str:
        parts = [clock(self.seconds), f"{self.pieces} pieces"]
        if self.skipped:
            parts.append(f"{self.skipped} found done")
        if self.rejected:
            parts.append(f"{self.rejected} REJECTED (see ssl-asr failed)")
        return f"{self.stage}: {', '.join([*parts, *self.figure_texts()])}"

    def figure_texts(self) -> list[str]:
        """The figures as a person reads them: "senone set 5b7f", "frames 1,143,892", "hours 5.178"."""
        return [f"{name.replace('_', ' ')} {_readable(value)}" for name, value in self.figures.items()]


def _readable(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def read_report(recipe: Recipe, stage: str) -> StageReport | None:
    uri = stage_report_uri(recipe.run, stage)
    return StageReport(**json.loads(filesystem.read_bytes(uri))) if filesystem.exists(uri) else None


@dataclass(frozen=True)
class Heartbeat:
    """What an unfinished stage has taken so far: `seconds` on the clock, `work_seconds` of its actors."""

    key: str
    seconds: float
    work_seconds: float = 0.0
    owner: str = ""


def read_heartbeat(recipe: Recipe, stage: str) -> Heartbeat | None:
    """The last note of an unfinished stage; None where it is not under way."""
    uri = heartbeat_uri(recipe.run, stage)
    return Heartbeat(**json.loads(filesystem.read_bytes(uri))) if filesystem.exists(uri) else None


def refuse_second(recipe: Recipe, stage: str) -> None:
    """ValueError where another process is at work on the stage; it takes up to two heartbeats to find out.

    For a stage whose work two processes must not do at once. Shards they may: these are published whole.
    """
    uri, heartbeat = heartbeat_uri(recipe.run, stage), read_heartbeat(recipe, stage)
    if heartbeat is None or not ownership.may_live(heartbeat.owner):
        return
    before, until = filesystem.modified(uri), time.monotonic() + 2 * HEARTBEAT_SECONDS
    while filesystem.modified(uri) == before:
        if time.monotonic() > until:
            return
        time.sleep(0.5)
    raise ValueError(_taken(recipe, stage, heartbeat.owner))


def _taken(recipe: Recipe, stage: str, owner: str) -> str:
    who = ownership.name_of(owner) or "another process"
    return f"{recipe.run}: {stage} is being made by {who}; wait for it or stop it, then give the same command again"


class StageClock:
    """Started with a stage; `finish` keeps its report, adding to the time that interrupted attempts took."""

    def __init__(self, recipe: Recipe, stage: str, key: str) -> None:
        self.recipe, self.stage, self.key = recipe, stage, key
        self._began = time.monotonic()
        self._before = self._worked = 0.0
        self._adding = threading.Lock()
        report, heartbeat = read_report(recipe, stage), read_heartbeat(recipe, stage)
        if report is not None and report.key == key:
            self._before, self._worked = report.seconds, 3600 * float(report.figures.get(ACTOR_HOURS, 0.0))
        if heartbeat is not None and heartbeat.key == key:
            self._before, self._worked = (
                max(self._before, heartbeat.seconds),
                max(self._worked, heartbeat.work_seconds),
            )
        for left in filesystem.list_temporary(stages_folder(recipe.run)):
            if f"/{stage}." in left:  # a note that was being written when an attempt was killed
                filesystem.delete(left)
        self._stop = threading.Event()
        self._heartbeats = threading.Thread(target=_heartbeat, args=(weakref.ref(self), self._stop), daemon=True)
        self._heartbeats.start()

    def claim(self) -> None:
        """ValueError where another process began the stage in the same moment: the last one to say so has it."""
        self.heartbeat()
        time.sleep(CLAIM_SECONDS)
        heartbeat = read_heartbeat(self.recipe, self.stage)
        if heartbeat is None or heartbeat.owner != ownership.ME:
            raise ValueError(_taken(self.recipe, self.stage, heartbeat.owner if heartbeat else ""))

    def work(self, seconds: float) -> None:
        """Add so much of one actor's time; any thread may."""
        with self._adding:
            self._worked += seconds

    def heartbeat(self) -> None:
        """Note the time spent, for the attempt that follows if this one is killed."""
        spent = self._before + time.monotonic() - self._began
        note = Heartbeat(self.key, round(spent, 2), round(self._worked, 3), ownership.ME)
        filesystem.write_bytes(heartbeat_uri(self.recipe.run, self.stage), json.dumps(asdict(note)).encode())

    def finish(
        self,
        pieces: int,
        skipped: int,
        rejects: Iterable[Reject] = (),
        figures: Mapping[str, float | str] | None = None,
    ) -> StageReport:
        """Keep and return the report, and the list of rejects beside it; actors' time joins the figures."""
        self._stop.set()
        self._heartbeats.join()
        rejects = list(rejects)
        spent = time.monotonic() - self._began
        seconds = self._before + (spent if skipped < pieces else 0.0)
        worked = {ACTOR_HOURS: round(self._worked / 3600, 6)} if self._worked else {}
        report = StageReport(
            self.stage, self.key, round(seconds, 2), pieces, skipped, len(rejects), {**(figures or {}), **worked}
        )
        lines = "".join(json.dumps(asdict(reject)) + "\n" for reject in rejects)
        filesystem.write_bytes(rejects_uri(self.recipe.run, self.stage), lines.encode())
        filesystem.write_bytes(
            stage_report_uri(self.recipe.run, self.stage), json.dumps(asdict(report), indent=1).encode()
        )
        filesystem.delete(heartbeat_uri(self.recipe.run, self.stage))
        return report


def _heartbeat(clock_of: weakref.ref[StageClock], stop: threading.Event) -> None:
    # A weak reference: a stage that fails drops its clock, and the heartbeats end with it.
    while not stop.wait(HEARTBEAT_SECONDS):
        stage_clock = clock_of()
        if stage_clock is None:
            return
        # A disk or a store may be out of reach for a moment; where it stays so, the stage itself says it.
        with contextlib.suppress(OSError, ValueError), without_retries():
            stage_clock.heartbeat()
        del stage_clock


def read_rejects(recipe: Recipe, stage: str) -> list[Reject]:
    """What the stage left out when it last finished."""
    uri = rejects_uri(recipe.run, stage)
    if not filesystem.exists(uri):
        return []
    return [Reject(**json.loads(line)) for line in filesystem.read_bytes(uri).decode().splitlines()]


def check_reject_share(recipe: Recipe, stage: str, rejected: int, utterances: int) -> None:
    """ValueError where more utterances were rejected than the recipe allows."""
    share = rejected / max(utterances, 1)
    if share > recipe.corpus.max_reject_share:
        raise ValueError(
            f"{stage}: {rejected} of {utterances} utterances were rejected ({share:.0%}), above "
            f"corpus.max_reject_share={recipe.corpus.max_reject_share:g}; see {rejects_uri(recipe.run, stage)}"
        )
