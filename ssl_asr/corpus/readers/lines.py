"""Lines of the text files that list a corpus: UTF-8, plain or gzipped, as editors of any system write them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator

from ssl_asr.store import filesystem

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_lines(uri: str) -> Iterator[tuple[int, str]]:
    """Lines of `uri` that are not blank, without their ends, each with its number from 1 on.

    Only LF and CR LF end a line: a text may hold U+2028 and other characters that Python takes for line ends. A byte
    order mark is left out. ValueError naming file and line where it is not UTF-8, or not a whole gzip file.
    FileNotFoundError where there is none.
    """
    fs, path = filesystem.resolve(uri)
    with fs.open_input_file(path) as file:
        stream = io.BufferedReader(file)
        packed = stream.peek(2)[:2] == _GZIP
        yield from decoded(uri, _raw_lines(uri, gzip.GzipFile(fileobj=stream) if packed else stream))


def decoded(uri: str, lines: Iterator[bytes]) -> Iterator[tuple[int, str]]:
    """The lines as text; for the rest see `read_lines`."""
    for number, line in enumerate(lines, 1):
        if number == 1:
            if line.startswith(_WIDE_BOMS):
                raise ValueError(f"{uri} is UTF-16; save it as UTF-8")
            line = line.removeprefix(_BOM)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{uri} line {number} is not UTF-8 (byte {error.object[error.start]:#04x} after "
                f"{error.object[: error.start].decode()[-20:]!r}); save the file as UTF-8"
            ) from None
        if text.strip():
            yield number, text.rstrip("\r\n")


def _raw_lines(uri: str, stream: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{uri} is not a whole gzip file ({error}); fetch it again") from error
