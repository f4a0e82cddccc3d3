"""A range of bytes of a file as a file of its own."""

from __future__ import annotations

import io
from types import TracebackType
from typing import Self

import pyarrow as pa


class FilePart:
    """Reads `size` bytes of `stream` from `begin` on, each read as one request. Closing it closes the stream."""

    def __init__(self, stream: pa.NativeFile, begin: int, size: int) -> None:
        self._stream, self._begin, self._size, self._at = stream, begin, size, 0

    def size(self) -> int:
        return self._size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int) -> bytes:
        """Fewer bytes at the end of the part."""
        wanted = max(0, min(size, self._size - self._at))
        found: bytes = self._stream.read_at(wanted, self._begin + self._at) if wanted else b""
        self._at += len(found)
        return found

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
