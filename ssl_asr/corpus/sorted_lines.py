"""Sorts any number of lines in little memory: in runs that fit, kept on the local disk and merged when read."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

RUN_BYTES = 32 << 20  # of text; as objects about twice as many
MOST_RUNS = 256  # files that are open at once


class SortedLines:
    """Lines without line feeds, each as often as it was added, in the order of their characters' code points.

    `folder` is a local one, for as many bytes as there are. Whoever gives it deletes it.
    """

    def __init__(self, folder: str, run_bytes: int = RUN_BYTES, most_runs: int = MOST_RUNS) -> None:
        self._folder, self._run_bytes, self._most_runs = folder, run_bytes, most_runs
        self._lines, self._bytes = list[bytes](), 0  # those of no run yet
        self._runs, self._written, self._count = list[str](), 0, 0

    def __len__(self) -> int:
        return self._count

    def add(self, line: str) -> None:
        data = line.encode()  # bytes of UTF-8 sort as their characters
        self._lines.append(data)
        self._bytes += len(data)
        self._count += 1
        if self._bytes >= self._run_bytes:
            self._end_run()

    def __iter__(self) -> Iterator[bytes]:
        """All that was added so far. Nothing may be added meanwhile."""
        with ExitStack() as stack:
            files = [stack.enter_context(open(run, "rb")) for run in self._runs]
            yield from heapq.merge(*map(_without_ends, files), sorted(self._lines))

    def _end_run(self) -> None:
        self._runs.append(self._write(sorted(self._lines)))
        self._lines, self._bytes = [], 0
        if len(self._runs) >= self._most_runs:
            merged, runs = self._write(self), self._runs
            self._runs = [merged]
            for run in runs:
                os.remove(run)

    def _write(self, lines: Iterable[bytes]) -> str:
        path = os.path.join(self._folder, f"{self._written:06d}")
        self._written += 1
        with open(path, "wb") as file:
            file.writelines(line + b"\n" for line in lines)
        return path


def _without_ends(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line[:-1] for line in lines)
