"""Audio in Parquet files, as Hugging Face's datasets have it: a column `audio` of structs of `bytes` and `path`.

`bytes` is an audio file; where it is null, `path` names one. A column of bytes alone, or of paths alone, is one too.
"""

from __future__ import annotations

import itertools
import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.store import filesystem
from ssl_asr.store.errors import is_unreachable, reaching

COLUMN = "audio"
_READ_AHEAD = 4 << 20
_BATCH_BYTES = 8 << 20  # of audio, decoded at once
_KEPT_ROWS, _KEPT_BYTES = 32, 256 << 20  # of those decoded last: threads ask for rows not quite in their order
_KEPT_OPEN = 2
_OPENING = threading.Lock()


@dataclass(frozen=True)
class AudioColumns:
    """The columns of the bytes and of the paths; None where the file has none."""

    data: str | None
    path: str | None


def audio_columns(file: str, schema: pa.Schema) -> AudioColumns:
    """ValueError if the file has no column of audio."""
    if COLUMN not in schema.names:
        raise ValueError(
            f"{file} has no column {COLUMN}, but {', '.join(schema.names)}; rename the one with the audio"
        )
    check_once(file, schema, COLUMN)
    kind = schema.field(COLUMN).type
    if pa.types.is_struct(kind):
        inside = {field.name: field.type for field in kind}
        data = f"{COLUMN}.bytes" if _is_data(inside.get("bytes")) else None
        path = f"{COLUMN}.path" if is_text(inside.get("path")) else None
    else:
        data, path = COLUMN if _is_data(kind) else None, COLUMN if is_text(kind) else None
    if data is None and path is None:
        raise ValueError(
            f"{file}: the column {COLUMN} holds {kind}, neither bytes of audio files nor paths; write it as a struct "
            "of bytes and path, as Hugging Face's datasets do"
        )
    return AudioColumns(data, path)


def check_once(file: str, schema: pa.Schema, name: str) -> None:
    """ValueError if several columns are called `name`."""
    if schema.names.count(name) > 1:
        raise ValueError(f"{file} has {schema.names.count(name)} columns called {name}; keep or rename one of them")


@contextmanager
def open_parquet(file: str) -> Iterator[pq.ParquetFile]:
    """ValueError with one sentence if it is no Parquet file, or if what is read of it inside the block is damaged."""
    try:
        with reaching(file):
            fs, path = filesystem.resolve(file)
            with fs.open_input_file(path) as stream:
                yield _parquet(stream)
    except FileNotFoundError as error:
        raise ValueError(f"{file}: there is no such Parquet file") from error
    except (OSError, pa.ArrowException) as error:
        raise _told(file, error) from error


def audio_of_row(file: str, row: int) -> bytes | str:
    """The audio file that a row holds, or an absolute path or URI of one.

    OSError if the file is not there. ValueError if it has no such row, holds no audio there, or is damaged.
    """
    fs, path = filesystem.resolve(file)
    info = fs.get_file_info(path)
    if not info.is_file:
        raise FileNotFoundError(file)
    try:
        with _OPENING:
            rows = _rows(file, info.size, info.mtime_ns)
        found = rows.get(row)
    except (OSError, pa.ArrowException) as error:
        raise _told(file, error) from error
    if isinstance(found, str):
        return located(found, file)
    return found


def located(path: str, file: str) -> str:
    """Where a path in a Parquet file leads to: a relative one is below the file's folder."""
    return path if filesystem.is_uri(path) or os.path.isabs(path) else f"{file.rpartition('/')[0]}/{path}"


@lru_cache(maxsize=_KEPT_OPEN)
def _rows(file: str, size: int, modified: int | None) -> _Rows:
    """Size and time tell a file from another that came in its place."""
    return _Rows(file)


class _Rows:
    """The audio of a file's rows. Rows that are asked for in about their order are decoded once."""

    def __init__(self, file: str) -> None:
        fs, path = filesystem.resolve(file)
        self._file = file
        self._parquet = _parquet(fs.open_input_file(path))
        self._columns = audio_columns(file, self._parquet.schema_arrow)
        counts = [self._parquet.metadata.row_group(group).num_rows for group in range(self._parquet.num_row_groups)]
        self._ends = list(itertools.accumulate(counts))
        self._lock = threading.Lock()
        self._kept = deque[tuple[int, pa.Array]]()  # what was decoded last, each with the number of its first row
        self._group, self._next = -1, 0  # what is being decoded, and the row that follows
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def get(self, row: int) -> bytes | str:
        with self._lock:
            found = self._value(row)
        values = (found.get("bytes"), found.get("path")) if isinstance(found, dict) else (found,)
        audio: bytes | str | None = next((value for value in values if value is not None), None)
        if audio is None or audio == "":
            raise ValueError(f"row {row} of {self._file} has no audio (it is null); leave it out")
        return audio

    def _value(self, row: int) -> Any:
        group = bisect_right(self._ends, row)
        if group == len(self._ends):
            raise ValueError(f"{self._file} has no row {row}; run the corpus stage again if it has changed")
        while True:
            for first, batch in self._kept:
                if first <= row < first + len(batch):
                    return batch[row - first].as_py()
            if group != self._group or row < self._next:
                self._batches, self._next = self._decoded(group), self._ends[group - 1] if group else 0
            self._group = -1  # until it has gone well
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError(
                    f"{self._file} has fewer rows than it says, and none of number {row}; fetch it again"
                )
            self._keep(batch.column(0))
            self._group = group

    def _keep(self, batch: pa.Array) -> None:
        self._kept.append((self._next, batch))
        self._next += len(batch)
        while len(self._kept) > 1 and self._is_too_much():
            self._kept.popleft()

    def _is_too_much(self) -> bool:
        rows = sum(len(each) for _, each in self._kept) - len(self._kept[0][1])
        return rows >= _KEPT_ROWS or sum(each.nbytes for _, each in self._kept) > _KEPT_BYTES

    def _decoded(self, group: int) -> Iterator[pa.RecordBatch]:
        columns = [each for each in (self._columns.data, self._columns.path) if each is not None]
        about = self._parquet.metadata.row_group(group)
        rows = max(1, _BATCH_BYTES * about.num_rows // max(about.total_byte_size, 1))
        return self._parquet.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)


def _parquet(stream: pa.NativeFile) -> pq.ParquetFile:
    """Read piece by piece: a row group may be as large as the file."""
    return pq.ParquetFile(stream, pre_buffer=False, buffer_size=_READ_AHEAD)


def _told(file: str, error: Exception) -> Exception:
    if is_unreachable(error):
        return error
    return ValueError(f"{file} is not a whole Parquet file ({' '.join(str(error).split())}); fetch it again")


def _is_data(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType | None) -> bool:
    """Whether a column of this type holds strings."""
    return kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind))
