"""Lists whole folders: of numbered files, and of what killed writers have left.

For half a million shards this is faster than checking each file. A local disk is listed through `os`, without a
Python object for every file; everything else through pyarrow.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.fs as pafs

from ssl_asr.store import filesystem
from ssl_asr.store.errors import reaching
from ssl_asr.store.retry import retried

# Digits of a file's name; the rest of the name is its suffix.
DIGITS, MOST_DIGITS = 6, 18
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Listing:
    """Files by number with what shows a change: int64 [files] each, `mtimes` in ns, `sizes` in bytes."""

    numbers: Numbers
    mtimes: Numbers
    sizes: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: Numbers) -> Listing:
        return Listing(self.numbers[which], self.mtimes[which], self.sizes[which])


def file_name(number: int, suffix: str) -> str:
    return f"{number:0{DIGITS}d}{suffix}"


@retried
def list_numbers(uri: str, suffix: str) -> Numbers:
    """Ascending numbers of the files "000123<suffix>" in the folder `uri`; none if there is no folder."""
    fs, path = filesystem.resolve(uri)
    local = isinstance(fs, pafs.LocalFileSystem)
    with reaching(uri):
        names = _local_names(path) if local else [info.base_name for info in _infos(fs, path)]
    numbers = (number_of(name, suffix) for name in names)
    return np.sort(np.array([number for number in numbers if number is not None], np.int64))


@retried
def list_files(uri: str, suffix: str) -> Listing:
    """As `list_numbers`, with the time and size of each file; a file that disappears meanwhile is left out."""
    fs, path = filesystem.resolve(uri)
    if isinstance(fs, pafs.LocalFileSystem):
        return list_local(path, suffix)
    with reaching(uri):
        return list_remote(fs, path, suffix)


def list_local(path: str, suffix: str) -> Listing:
    numbers, mtimes, sizes = array("q"), array("q"), array("q")
    names = _local_names(path)
    with _opened(path) if names else nullcontext() as folder:
        for name in names:
            number = number_of(name, suffix)
            if number is None:
                continue
            try:
                status = os.stat(name, dir_fd=folder)
            except FileNotFoundError:
                continue
            numbers.append(number)
            mtimes.append(status.st_mtime_ns)
            sizes.append(status.st_size)
    return _bynumber_of(np.array([numbers, mtimes, sizes], np.int64))


def list_remote(fs: pafs.FileSystem, path: str, suffix: str) -> Listing:
    infos = _infos(fs, path)
    rows = [(number_of(info.base_name, suffix), info.mtime_ns, info.size) for info in infos]
    return _bynumber_of(np.array([row for row in rows if row[0] is not None], np.int64).reshape(-1, 3).T)


def list_temporary(uri: str) -> list[str]:
    """Sorted URIs of unfinished files below `uri`, of killed or running writers.

    Only a local disk can have any: an object store shows a file only when it is complete.
    """
    fs, path = filesystem.resolve(uri)
    if not isinstance(fs, pafs.LocalFileSystem):
        return []
    below = ((folder, name) for folder, _, names in os.walk(path) for name in names if filesystem.is_temporary(name))
    return sorted(filesystem.join(uri, f"{folder}/{name}"[len(path.rstrip("/")) + 1 :]) for folder, name in below)


def delete_temporary(uri: str) -> int:
    """Delete the unfinished files of killed writers below `uri`; returns their number."""
    leftover = list_temporary(uri)
    for each in leftover:
        filesystem.delete(each)
    return len(leftover)


def _bynumber_of(found: Numbers) -> Listing:
    return Listing(*found[:, np.argsort(found[0], kind="stable")])


@contextmanager
def _opened(folder: str) -> Iterator[int]:
    """A directory handle: files are found relative to it, without walking the path each time."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def number_of(name: str, suffix: str) -> int | None:
    """The number, if `file_name` could have made the name; None otherwise."""
    stem = name[: -len(suffix)]
    decimal = name.endswith(suffix) and stem.isascii() and stem.isdecimal()
    fits = decimal and (len(stem) == DIGITS or (DIGITS < len(stem) <= MOST_DIGITS and stem[0] != "0"))
    return int(stem) if fits else None


def _local_names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


def _infos(fs: pafs.FileSystem, path: str) -> list[pafs.FileInfo]:
    return fs.get_file_info(pafs.FileSelector(path, recursive=False, allow_not_found=True))
