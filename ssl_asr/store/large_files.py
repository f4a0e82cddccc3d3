"""Files that are too large to be held in memory: hashed, compared, read and published piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum_of
from ssl_asr.store.retry import retried

PIECE_BYTES = 1 << 22


@retried
def file_checksum(uri: str) -> str:
    """`checksum` of the file; ValueError and OSError as `read_bytes`."""
    with filesystem.reading(uri) as stream:
        return checksum_of(_pieces(stream))


def lines_of(uri: str) -> Iterator[str]:
    """Lines of a UTF-8 file of the run, without their line feeds; errors as `read_bytes`."""
    place, begun = 0, b""
    while piece := _piece(uri, place):
        place += len(piece)
        *lines, begun = (begun + piece).split(b"\n")
        yield from (line.decode() for line in lines)
    if begun:
        yield begun.decode()


@retried
def _piece(uri: str, place: int) -> bytes:
    with filesystem.reading(uri) as stream:
        stream.seek(place)
        piece: bytes = stream.read(PIECE_BYTES)
        return piece


def write_lines_if_changed(uri: str, lines: Iterable[bytes]) -> None:
    """Publish the file with these lines, which are gone through twice, unless it holds just that.

    A line feed is put after each. Where making the lines fails, a bucket may keep a part of the file.
    """
    pieces = _in_pieces(lines)
    if not filesystem.exists(uri) or file_checksum(uri) != checksum_of(pieces()):
        filesystem.write_pieces(uri, pieces)


def _pieces(stream: pa.NativeFile) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece


def write_file(uri: str, file: Path) -> None:
    """Publish a local file."""
    filesystem.write_pieces(uri, lambda: _pieces_of(file))


def _pieces_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def _in_pieces(lines: Iterable[bytes]) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        some, size = list[bytes](), 0
        for line in lines:
            some.append(line)
            size += len(line) + 1
            if size >= PIECE_BYTES:
                yield b"\n".join([*some, b""])
                some, size = [], 0
        yield b"\n".join([*some, b""])

    return pieces
