"""The checkpoints of one training: `training/<name>/checkpoints/<key>/<block>-<fingerprint>/`, the newest two kept.

They are not Ray Train's. A checkpoint is complete or invisible, whatever is killed. It can be read without Ray.
Workers on a cluster and workers simulated in one process write the same checkpoints.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from ssl_asr.store import filesystem
from ssl_asr.training.checkpoints.snapshot import SHARED, Snapshot, write_snapshot

KEPT = 2
# Errors that only the owner of the disk can fix: it is full, or writing is not permitted.
_FOR_THE_OWNER = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST}
_LOCAL = re.compile(r"worker-\d{4}-of-(\d{4})\.safetensors$")


@dataclass(frozen=True)
class Checkpoints:
    root: str

    def folder(self, taken: Snapshot) -> str:
        # The model's fingerprint is in the name, so parts of workers that a resize has ended never mix with these.
        return filesystem.join(self.root, f"{taken.block:07d}-{taken.fingerprint}")

    def newest(self) -> str | None:
        """The newest complete checkpoint, or None."""
        whole = self._whole()
        return whole[-1] if whole else None

    def write(self, taken: Snapshot) -> None:
        """Publish one worker's part; the first worker then deletes all but the newest ones."""
        folder = self.folder(taken)
        try:
            write_snapshot(folder, taken)
        except OSError as error:
            if error.errno not in _FOR_THE_OWNER:
                raise  # it may be temporary: workers restart from the last checkpoint
            kept = self.newest()
            raise ValueError(
                f"the checkpoint of block {taken.block} cannot be written to {folder} ({error}); "
                f"{f'{kept} is kept' if kept else 'there is no earlier one'}; fix this, then the same command "
                "continues from there"
            ) from error
        if taken.rank == 0:
            self.tidy()

    def delete_after(self, folder: str | None) -> None:
        """Delete checkpoints after `folder` (None: all), which another attempt left; called at a start."""
        for other in self._folders():
            if other != folder and (folder is None or _block(other) >= _block(folder)):
                _delete(other)

    def tidy(self) -> None:
        """Delete everything older than the newest complete checkpoints."""
        kept = self._whole()[-KEPT:]
        if kept:
            for folder in self._folders():
                if folder < kept[0]:
                    _delete(folder)

    def _folders(self) -> list[str]:
        return [filesystem.join(self.root, name) for name in filesystem.list_folders(self.root)]

    def _whole(self) -> list[str]:
        return [folder for folder in self._folders() if _is_whole(filesystem.list_files(folder))]


def _is_whole(files: list[str]) -> bool:
    """Whether the shared part is there, and the parts of all workers if any worker has one."""
    counts = [int(found[1]) for found in map(_LOCAL.search, files) if found]
    return any(uri.endswith(f"/{SHARED}") for uri in files) and len(counts) == (counts[0] if counts else 0)


def _delete(folder: str) -> None:
    # The shared file goes first: after a kill in the middle, nothing looks like a checkpoint.
    filesystem.delete(filesystem.join(folder, SHARED))
    filesystem.delete(folder)


def _block(folder: str) -> int:
    return int(folder.rpartition("/")[2].partition("-")[0])


class Saver:
    """Writes accounts and checkpoints in a thread, in their order, while training goes on.

    After a failure nothing more is written: no checkpoint without the accounts of its blocks.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self._thread = ThreadPoolExecutor(1, "saving")
        self._last: Future[None] | None = None
        self._error: Exception | None = None

    def save(self, taken: Snapshot) -> None:
        """ValueError or OSError if an earlier write failed; one checkpoint is written at a time."""
        self.wait()
        self.write(lambda: self.checkpoints.write(taken))

    def write(self, work: Callable[[], object]) -> None:
        """Run `work` in the thread, after all earlier writes."""
        self._last = self._thread.submit(self._do, work)

    def wait(self) -> None:
        if self._last is not None:
            self._last.result()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _do(self, work: Callable[[], object]) -> None:
        if self._error is None:
            try:
                work()
            except Exception as error:
                self._error = error

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        if kind is None:
            self.wait()
