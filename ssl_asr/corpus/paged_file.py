"""A file of any store as libsndfile and the checks read it: in large pages, so that a small file is one request."""

from __future__ import annotations

import io
from typing import Any, Protocol

PAGE_BYTES = 1 << 18  # libsndfile reads a few kilobytes at a time, which would be a request each


class ByteStream(Protocol):
    """Bytes that can be read from any place."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...


class PagedFile:
    """Reads a stream by pages, of which the first and the latest are kept."""

    def __init__(self, stream: ByteStream, size: int) -> None:
        self.size = size
        self._stream, self._at = stream, 0
        self._pages: dict[int, bytes] = {}
        self._patch: tuple[int, bytes] | None = None

    def mend(self, patch: tuple[int, bytes] | None) -> None:
        """Have these bytes read, from this place on, instead of the file's."""
        self._patch = patch

    def read(self, size: int) -> bytes:
        """Fewer bytes at the end of the file; what is longer than a page is read at once, as it is in the file."""
        data = bytearray(max(0, min(size, self.size - self._at)))
        if len(data) <= PAGE_BYTES:
            del data[self.readinto(data) :]
            return bytes(data)
        self._stream.seek(self._at)
        found = self._stream.read(len(data))
        self._at += len(found)
        return found

    def readinto(self, buffer: Any) -> int:
        """How many bytes were read; fewer than asked for only at the end of the file."""
        view, done = memoryview(buffer).cast("B"), 0
        while done < len(view):
            number, inside = divmod(self._at + done, PAGE_BYTES)
            piece = self._page(number)[inside : inside + len(view) - done]
            if not piece:
                break
            view[done : done + len(piece)] = piece
            done += len(piece)
        if self._patch is not None:
            self._mend(view[:done], self._at)
        self._at += done
        return done

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def _page(self, number: int) -> bytes:
        if number not in self._pages:
            self._stream.seek(number * PAGE_BYTES)
            page = self._stream.read(PAGE_BYTES)
            self._pages = {each: self._pages[each] for each in self._pages if each == 0} | {number: page}
        return self._pages[number]

    def _mend(self, read: memoryview, place: int) -> None:
        assert self._patch is not None
        first, right = self._patch
        begin, end = max(place, first), min(place + len(read), first + len(right))
        if begin < end:
            read[begin - place : end - place] = right[begin - first : end - first]
