"""The learning curve of one model: `training/<name>/curve.jsonl`, and the same as TensorBoard events.

A checkpoint holds the curve up to its block, so after any restart the curve shows each block exactly once.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import curve_uri, tensorboard_folder

if TYPE_CHECKING:  # every training worker imports this module, and only the driver writes events
    from tensorboardX import SummaryWriter

Record = dict[str, Any]
# Seconds between two writes of the thread that writes events; a call of flush() does not wait for that thread.
FLUSH_SECONDS = 1


def read_curve(run: str, name: str) -> list[Record]:
    uri = curve_uri(run, name)
    if not filesystem.exists(uri):
        return []
    return [json.loads(line) for line in filesystem.read_bytes(uri).decode().splitlines()]


class CurveWriter:
    """Collects a model's records during training and stores them in the run, as JSON lines and as events.

    TensorBoard's writer needs a disk: the events of a run in a bucket are copied there at the end.
    """

    def __init__(self, run: str, name: str) -> None:
        self.run, self.name = run, name
        self.records: list[Record] = []
        self._events: SummaryWriter | None = None
        self._unsaved = False

    def restart(self, records: list[Record]) -> None:
        """Start again from the curve of a checkpoint."""
        from tensorboardX import SummaryWriter

        self.records = []
        self._drop_events()
        folder = mkdtemp(prefix="ssl_asr-events-") if self._is_remote else self._folder
        self._events = SummaryWriter(folder, flush_secs=FLUSH_SECONDS)
        self.add(records)
        self._unsaved = True

    def add(self, records: list[Record]) -> None:
        self.records += records
        self._unsaved = self._unsaved or bool(records)
        if self._events is not None:
            for record in records:
                _write_scalars(self._events, record)

    def save(self) -> None:
        """Write the lines, if there are new ones; after a failure it may be called again."""
        if not self._unsaved:
            return
        lines = "".join(json.dumps(record) + "\n" for record in self.records)
        filesystem.write_bytes(curve_uri(self.run, self.name), lines.encode())
        self._unsaved = False

    def close(self) -> None:
        """Store all records and complete events at the end; after a failure it may be called again."""
        self.save()
        if self._events is None:
            return
        self._events.close()
        if self._is_remote:
            filesystem.delete(self._folder)
            for file in Path(self._events.logdir).iterdir():
                filesystem.write_bytes(filesystem.join(self._folder, file.name), file.read_bytes())
            shutil.rmtree(self._events.logdir)
        self._events = None

    def _drop_events(self) -> None:
        """Delete the events of blocks that are trained again."""
        if self._events is not None:
            self._events.close()
            shutil.rmtree(self._events.logdir)
        elif not self._is_remote:
            filesystem.delete(self._folder)

    @property
    def _folder(self) -> str:
        return tensorboard_folder(self.run, self.name)

    @property
    def _is_remote(self) -> bool:
        return "://" in self.run


def _write_scalars(events: SummaryWriter, record: Record) -> None:
    for name, value in record.items():
        if name != "block" and isinstance(value, int | float):
            events.add_scalar(f"train/{name}", value, record["block"])
