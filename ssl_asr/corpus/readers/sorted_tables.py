"""Ranges of keys in a table whose lines are sorted by key, as by `LC_ALL=C sort`: found without reading it all."""

from __future__ import annotations

import pyarrow as pa

from ssl_asr.corpus.readers.entries import Part
from ssl_asr.store import filesystem
from ssl_asr.store.retry import retried

_BLOCK_BYTES = 16 << 10
_BOM = b"\xef\xbb\xbf"
Key = str | None  # None: before all keys, or after them


@retried
def part_of_keys(file: str, first: Key, last: Key) -> Part:
    """The bytes in which the lines begin whose keys are `first` or later, and before `last`."""
    with filesystem.reading(file) as stream:
        size = stream.size()
        begin = 0 if first is None else _lower_bound(stream, size, first.encode())
        end = size if last is None else _lower_bound(stream, size, last.encode())
    if end < begin:
        raise not_sorted(file, f"{last} comes before {first}")
    return begin, end


@retried
def key_at(file: str, place: int) -> str | None:
    """The key of the first line that begins at a byte or after it; None if there is none. ValueError if not UTF-8."""
    with filesystem.reading(file) as stream:
        found = _line_from(stream, place, stream.size())
    if found is None:
        return None
    try:
        return found[2].decode()
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8 near byte {found[0]}; save the file as UTF-8") from None


def not_sorted(file: str, where: str) -> ValueError:
    return ValueError(
        f"{file} is not sorted by its ids ({where}), and a large Kaldi directory is read in ranges of them; sort its "
        "tables with utils/fix_data_dir.sh, or each with LC_ALL=C sort -o FILE FILE"
    )


def _lower_bound(stream: pa.NativeFile, size: int, key: bytes) -> int:
    """A byte: of all lines that begin before it the key is less, and of no other line."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        found = _line_from(stream, middle, high)
        if found is not None and found[2] < key:
            low = found[1]
        else:
            high = middle
    return low


def _line_from(stream: pa.NativeFile, place: int, end: int) -> tuple[int, int, bytes] | None:
    """Begin, end and key of the first line that is not blank and begins in [place, end)."""
    at = place
    if place:
        line = _line(stream, place - 1)
        at = place - 1 + len(line)
    while at < end and (line := _line(stream, at)):
        if fields := line.removeprefix(b"" if at else _BOM).split(maxsplit=1):
            return at, at + len(line), fields[0]
        at += len(line)
    return None


def _line(stream: pa.NativeFile, begin: int) -> bytes:
    """What is left of a line, with its end."""
    found = b""
    while block := stream.read_at(_BLOCK_BYTES, begin + len(found)):
        head, newline, _ = block.partition(b"\n")
        found += head + newline
        if newline:
            break
    return found
