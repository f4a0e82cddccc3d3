"""Ragged [frames, width] arrays as one `large_binary` Parquet column: read back without a copy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def to_column(arrays: Sequence[npt.NDArray[np.generic]]) -> pa.Array:
    """Each array's bytes, row-major; width and type belong in the store's schema."""
    return pa.array([np.ascontiguousarray(array).tobytes() for array in arrays], pa.large_binary())


def from_column(column: pa.ChunkedArray | pa.Array, dtype: npt.DTypeLike, width: int) -> list[npt.NDArray]:
    """[frames, width] read-only views into the column's buffer ([frames] if width is 1).

    ValueError if a row is not a whole number of such frames.
    """
    shape = (-1,) if width == 1 else (-1, width)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    views = []
    for chunk in chunks:
        offsets = np.frombuffer(chunk.buffers()[1], np.int64, len(chunk) + 1, chunk.offset * 8)
        data = chunk.buffers()[2] or b""
        size = np.dtype(dtype).itemsize
        for begin, end in itertools.pairwise(offsets.tolist()):
            if (end - begin) % (size * width):
                raise ValueError(f"a row of {end - begin} bytes is not a whole number of frames of {width} {dtype}")
            views.append(np.frombuffer(data, dtype, (end - begin) // size, begin).reshape(shape))
    return views


def ragged_column(values: npt.NDArray[np.generic], ends: npt.NDArray[np.integer]) -> pa.Array:
    """The bytes of `values` as rows that end at the bytes `ends` [rows], without a loop over rows."""
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    data = np.ascontiguousarray(values)
    assert offsets[-1] == data.nbytes, "rows hold all bytes"
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_binary(), len(ends), buffers)


def ragged_bytes(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where each row of a `large_binary` column ends, and the bytes of all rows; a view if they lie together."""
    ends, parts, before = [np.zeros(0, np.int64)], [np.zeros(0, np.uint8)], 0
    for chunk in column.chunks:
        offsets = np.frombuffer(chunk.buffers()[1], np.int64, len(chunk) + 1, chunk.offset * 8)
        first, last = int(offsets[0]), int(offsets[-1])
        ends.append(offsets[1:] - first + before)
        parts.append(np.frombuffer(chunk.buffers()[2] or b"", np.uint8, last - first, first))
        before += last - first
    return np.concatenate(ends), parts[1] if len(parts) == 2 else np.concatenate(parts)
