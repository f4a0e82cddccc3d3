"""How the driver handles the monitor's updates: curve, events, progress, and a line at every restart."""

from __future__ import annotations

import sys
import time
from itertools import accumulate

from ssl_asr.progress import Progress
from ssl_asr.store.retry import is_outage, without_retries
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.curve import CurveWriter, Record
from ssl_asr.training.elastic.events import Event, EventLog, Kind, going_on
from ssl_asr.training.elastic.monitor import Updates
from ssl_asr.training.trainable import Trainable


class Follower:
    def __init__(self, job: Trainable, curve: CurveWriter) -> None:
        self.job, self.curve = job, curve
        self.log = EventLog(job.run, job.name, job.key)
        self._before = list(accumulate((phase.count for phase in job.schedule), initial=0))
        self._progress: Progress | None = None
        self._out_of_reach = False

    def note(self, kind: Kind, detail: str) -> None:
        """Adds an event of the driver, at this moment; the next `save` stores it."""
        self.log.add(Event(round(time.time(), 3), kind, detail=detail))

    def follow(self, updates: Updates) -> None:
        """Add the updates and store them; while an object store does not answer, they wait for the next call."""
        self._add(updates)
        try:
            with without_retries():
                self.save()
        except OSError as error:
            if not is_outage(error):
                raise
            if not self._out_of_reach:
                _say(f"  {self.job.name}: cannot write to {self.job.run} now; training continues ({error})")
            self._out_of_reach = True

    def save(self) -> None:
        """OSError if that is not possible now."""
        self.log.save()
        self.curve.save()
        self._out_of_reach = False

    def _add(self, updates: Updates) -> None:
        for event in updates.events:
            self.log.add(event)
            if event.kind == "restored" and (event.block > 0 or self._progress is not None):
                _say(f"  {self.job.name}: {going_on(self.log.events)}")
        if updates.restarted is not None:
            self.curve.restart(updates.restarted)
            # The clock starts with the workers: their start-up time must not enter the time left.
            self._progress = Progress(self.job.name, self._before[-1], "slabs")
            self._progress.skip(self._slabs_done())
        self.curve.add(updates.records)
        blocks = [record for record in updates.records if "loss" in record]
        if blocks and self._progress is not None:
            self._progress.advance(self._slabs_done() - self._progress.done, _note(blocks[-1]))

    def _slabs_done(self) -> int:
        blocks = [record for record in self.curve.records if "loss" in record]
        if not blocks:
            return 0
        phase = blocks[-1]["phase"]
        in_phase = sum(self.job.sync.block_slabs * block["workers"] for block in blocks if block["phase"] == phase)
        # The last block of a phase may be short.
        return min(self._before[phase] + in_phase, self._before[phase + 1])


def _say(line: str) -> None:
    """Prints a whole line; on a terminal it replaces the progress line."""
    print(("\r\033[K" if sys.stderr.isatty() else "") + line, file=sys.stderr, flush=True)


def _note(record: Record) -> str:
    speed = record["frames"] * FRAME_SECONDS / max(record["seconds"], 1e-3)
    accuracy = f"accuracy {record['frame_accuracy']:.1%}, " if "frame_accuracy" in record else ""
    return (
        f"block {record['block']}, {record['source']} loss {record['loss']:.3f}, "
        f"{accuracy}lr {record['learning_rate']:.2g}, {speed:.0f} x real time"
    )
