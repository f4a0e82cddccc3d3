"""Writes a directory that is seen whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from ssl_asr.serving.description import DESCRIPTION
from ssl_asr.store.filesystem import TEMPORARY, is_temporary


def check_place(folder: Path, mark: str = DESCRIPTION) -> None:
    """ValueError if something else than an older export lies at `folder`: one has the file `mark`."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"{folder} is not a directory; give another one with -o")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file():
        raise ValueError(f"{folder} holds other files and no {mark}; give a new directory with -o")


def publish(folder: Path, files: Mapping[str, bytes], mark: str = DESCRIPTION) -> None:
    """Put `files` into a new directory at `folder`, in the place of an older export, which has the file `mark`.

    They are written beside it and renamed when they are complete. What killed exports have left there is deleted.
    """
    check_place(folder, mark)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{folder.name}{TEMPORARY}*"):
        if is_temporary(left.name):
            shutil.rmtree(left, ignore_errors=True)
    made, former = _beside(folder), _beside(folder)
    try:
        made.mkdir()
        for name, data in files.items():
            _write(made / name, data)
        if folder.exists():
            os.rename(folder, former)
        os.rename(made, folder)
    finally:
        if former.exists() and not folder.exists():
            os.rename(former, folder)  # the new one could not be put there
        for each in (made, former):
            shutil.rmtree(each, ignore_errors=True)


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
