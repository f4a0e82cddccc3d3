"""Writes a directory that is seen whole or not at all, whenever the writer is killed."""

from __future__ import annotations

import ctypes
import os
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ssl_asr.serving.description import DESCRIPTION
from ssl_asr.store.filesystem import TEMPORARY, is_temporary

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux (renameat2(2))


def check_place(folder: Path, mark: str = DESCRIPTION) -> None:
    """ValueError if something else than an older export lies at `folder`: one has the file `mark`.

    An older export that a killed one has taken away comes back first.
    """
    _recover(folder, mark)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"{folder} is not a directory; give another one with -o")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file():
        raise ValueError(f"{folder} holds other files and no {mark}; give a new directory with -o")


def publish(folder: Path, files: Mapping[str, bytes], mark: str = DESCRIPTION) -> None:
    """Put `files` into a new directory at `folder`, in the place of an older export, which has the file `mark`.

    They are written beside it, `mark` last, and change places with the older ones at once. A file system that can't
    do that (NFS) needs two renames; whoever is killed between them leaves both beside `folder`, and `check_place`
    puts the new one there. What else killed exports have left is deleted.
    """
    check_place(folder, mark)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in _left_beside(folder):
        _delete(left, mark)
    made = _beside(folder)
    try:
        made.mkdir()
        for name in sorted(files, key=lambda name: name == mark):
            _write(made / name, files[name])
        if not folder.exists():
            os.rename(made, folder)
        elif not _exchanged(made, folder):
            _renamed_twice(made, folder, mark)
    finally:
        _delete(made, mark)


def _recover(folder: Path, mark: str) -> None:
    """Where `folder` is missing, put the newest whole export there that was left beside it."""
    if os.path.lexists(folder):
        return
    whole = [left for left in _left_beside(folder) if (left / mark).is_file()]
    if whole:
        os.rename(max(whole, key=lambda left: (left / mark).stat().st_mtime_ns), folder)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether both directories could change places in one step."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def _renamed_twice(made: Path, folder: Path, mark: str) -> None:
    former = _beside(folder)
    try:
        os.rename(folder, former)
        os.rename(made, folder)
    finally:
        if former.exists() and not folder.exists():
            os.rename(former, folder)  # the new one could not be put there
        _delete(former, mark)


def _delete(made: Path, mark: str) -> None:
    """The mark first, so that a half of it is never taken for a whole one."""
    with suppress(OSError):
        (made / mark).unlink()
    shutil.rmtree(made, ignore_errors=True)


def _left_beside(folder: Path) -> list[Path]:
    """Directories of exports that were killed, or that are being written."""
    if not folder.parent.is_dir():
        return []
    named = (each for each in folder.parent.iterdir() if each.name.startswith(folder.name + TEMPORARY))
    return [each for each in named if is_temporary(each.name) and each.is_dir()]


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
