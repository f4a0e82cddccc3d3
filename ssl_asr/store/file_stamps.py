"""Sizes and times of many files, which show whether they are still the same, without opening any."""

from __future__ import annotations

import itertools
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from ssl_asr.store import filesystem
from ssl_asr.store.ledger_index import PARALLEL_READS

Stamp = tuple[int, int]  # bytes, and time of the last write in ns since 1970
_AT_ONCE = 1000  # files of a disk that a thread looks at; more threads help where the disk is far away
# A HEAD request takes some tens of milliseconds, and no core.
_PARALLEL_REQUESTS = 64


def stamps_by_folder(files: Iterable[str]) -> dict[str, Stamp]:
    """Of those files that are there. Of a store a folder is listed: one request for a thousand files."""
    local, stored = _by_place(files)
    return dict(itertools.chain(_on_disk(local), _in_folders(stored)))


def stamps_one_by_one(files: Iterable[str]) -> dict[str, Stamp]:
    """The same, for few files of folders that may hold many: of a store a request for each."""
    local, stored = _by_place(files)
    return dict(itertools.chain(_on_disk(local), _asked_for(stored)))


def _by_place(files: Iterable[str]) -> tuple[list[str], list[str]]:
    """Files of disks, and those of stores; each once."""
    distinct = dict.fromkeys(files)
    stored = [file for file in distinct if filesystem.is_uri(file) and not filesystem.is_file_uri(file)]
    return [*distinct.keys() - {*stored}], stored


def _on_disk(files: Sequence[str]) -> Iterator[tuple[str, Stamp]]:
    parts = [files[begin : begin + _AT_ONCE] for begin in range(0, len(files), _AT_ONCE)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        yield from itertools.chain.from_iterable(pool.map(_of_disk, parts))


def _of_disk(files: Collection[str]) -> list[tuple[str, Stamp]]:
    found = []
    for file in files:
        try:
            said = os.stat(filesystem.resolve(file)[1] if filesystem.is_file_uri(file) else file)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(said.st_mode):
            found.append((file, (said.st_size, said.st_mtime_ns)))
    return found


def _in_folders(files: Collection[str]) -> Iterator[tuple[str, Stamp]]:
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        folder, _, name = file.rpartition("/")
        wanted[folder].add(name)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        for (folder, names), there in zip(wanted.items(), pool.map(_of_folder, wanted), strict=True):
            yield from ((f"{folder}/{name}", there[name]) for name in names & there.keys())


def _of_folder(folder: str) -> dict[str, Stamp]:
    """Empty where a store can't be reached or used: what is listed there is a reject, and no other is to suffer."""
    try:
        return filesystem.sizes_and_times(folder)
    except (OSError, ValueError):
        return {}


def _asked_for(files: Sequence[str]) -> Iterator[tuple[str, Stamp]]:
    with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
        for file, stamp in zip(files, pool.map(_of_file, files), strict=True):
            if stamp is not None:
                yield file, stamp


def _of_file(file: str) -> Stamp | None:
    try:
        return filesystem.size_and_time(file)
    except (OSError, ValueError):
        return None
