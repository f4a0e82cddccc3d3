"""Lines of the text files that list a corpus: UTF-8, plain or gzipped, as editors of any system write them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator

from ssl_asr.store import filesystem

_GZIP = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_lines(uri: str, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, str]]:
    """Lines of `uri` that are not blank, without their ends, each with its number from 1 on.

    Only LF and CR LF end a line: a text may hold U+2028 and other characters that Python takes for line ends. A byte
    order mark is left out. With `begin` and `end` those lines that begin in these bytes, numbered from there on; a
    gzipped file is read as a whole. ValueError naming file and line where it is not UTF-8, or not a whole gzip file.
    FileNotFoundError where there is none.
    """
    fs, path = filesystem.resolve(uri)
    with fs.open_input_file(path) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        stream = io.BufferedReader(file, _BUFFER_BYTES)
        lines = gzip.GzipFile(fileobj=stream) if packed else _between(stream, begin, end)
        yield from decoded(uri, _raw_lines(uri, lines), begin)


def _between(stream: io.BufferedReader, begin: int, end: int | None) -> Iterator[bytes]:
    """Whole lines; the one that a range begins within is that of the range before."""
    if begin:
        stream.seek(begin - 1)
        begin += len(stream.readline()) - 1
    for line in stream:
        if end is not None and begin >= end:
            return
        begin += len(line)
        yield line


def decoded(uri: str, lines: Iterable[bytes], begin: int = 0) -> Iterator[tuple[int, str]]:
    """The lines as text; for the rest see `read_lines`."""
    name = f"{uri} from byte {begin}" if begin else uri
    for number, line in enumerate(lines, 1):
        if number == 1 and not begin:
            if line.startswith(_WIDE_BOMS):
                raise ValueError(f"{uri} is UTF-16; save it as UTF-8")
            line = line.removeprefix(_BOM)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name} line {number} is not UTF-8 (byte {error.object[error.start]:#04x} after "
                f"{error.object[: error.start].decode()[-20:]!r}); save the file as UTF-8"
            ) from None
        if text.strip():
            yield number, text.rstrip("\r\n")


def _raw_lines(uri: str, stream: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{uri} is not a whole gzip file ({error}); fetch it again") from error
