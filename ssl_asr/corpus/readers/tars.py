"""What a tar holds: names, places and sizes of its members, by their headers. Audio is passed over."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ssl_asr.store import filesystem
from ssl_asr.store.errors import is_unreachable, reaching
from ssl_asr.store.ledger import Reject

# Read with each header: what lies beside a recording (its text, the next header) is then no request of its own.
READ_AHEAD = 16 << 10
MOST_TEXT_BYTES = 1 << 20
MOST_HEADER_BYTES = 1 << 20  # with a long name, or the keys of pax
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"(\xb5/\xfd": "unzstd"}
_BLOCK = 512
_PADDING = 64 << 10  # at most, of zeros at the end
NO_END = "tars have no end mark; if they were cut short, what is missing can't be seen"
UNLISTED = "members of tars are in no list"
UNREAD = "tars are in no list, and can't be read"
NO_FILES = "members of tars are links or other special files, and are not read"


@dataclass(frozen=True, slots=True)
class Member:
    """`size` bytes of the tar from `begin` on; `text` are these bytes, where they were asked for."""

    name: str
    begin: int
    size: int
    text: bytes | None = None


@dataclass(frozen=True)
class TarContent:
    """The members in their order; what could not be read; and by what it is, how much else a person is told of."""

    members: tuple[Member, ...]
    rejects: tuple[Reject, ...]
    counts: dict[str, int]


def read_tar(uri: str, is_text: Callable[[str], bool] = lambda name: False) -> TarContent:
    """All plain files in an uncompressed tar, with the bytes of those whose names are of a text.

    The members before a damage are good, and the damage is a reject. Names are without a leading "./".
    ValueError with one sentence if the file is no tar, is compressed or is not there.
    """
    try:
        with reaching(uri):
            fs, path = filesystem.resolve(uri)
            with fs.open_input_file(path) as file:
                _check_form(uri, file.read(8))
                file.seek(0)
                return _content(uri, io.BufferedReader(file, READ_AHEAD), file.size(), is_text)
    except OSError as error:
        if is_unreachable(error):
            raise
        raise ValueError(f"{uri}: there is no such tar, or it can't be read") from error


def unlisted(uri: str, about: tuple[str, ...] = ()) -> dict[str, int]:
    """What a person is told of a tar of which no list speaks; members that end as `about` are no audio."""
    try:
        members = sum(not member.name.endswith(about) for member in read_tar(uri).members)
    except ValueError:
        return {UNREAD: 1}
    return {UNLISTED: members} if members else {}


def _check_form(uri: str, head: bytes) -> None:
    program = next((program for magic, program in _COMPRESSED.items() if head.startswith(magic)), None)
    if program:
        raise ValueError(
            f"{uri} is compressed, so that its members can't be read one by one; decompress it: {program}"
        )


class _Headers:
    """A tar as tarfile reads it: header by header, of which none is larger than MOST_HEADER_BYTES."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > MOST_HEADER_BYTES:
            raise ValueError(f"a header of it claims {size:,} bytes")
        return self._stream.read(size)


@dataclass
class _Walk:
    """One pass over the headers. After it, `fault` says in a clause what has ended it too early, if anything."""

    stream: io.BufferedReader
    size: int
    fault: str = ""
    special: int = 0
    has_end: bool = True

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Plain files whose bytes are all there. ReadError if the first block is no header."""
        if not self.size:
            self.fault = "it is empty"
            return
        at = 0
        try:
            tar = tarfile.TarFile(fileobj=_Headers(self.stream), mode="r")  # type: ignore[arg-type]
            at = tar.offset
            while not self.fault and (found := tar.next()) is not None:
                tar.members, at = [], tar.offset  # type: ignore[attr-defined]
                is_plain = found.isreg() and not found.issparse()
                if found.size < 0 or (is_plain and found.offset_data + found.size > self.size):
                    self.fault = f"it ends at byte {self.size}, within {shown(found.name)}"
                elif is_plain:
                    yield found
                else:
                    self.special += not found.isdir()
            if not self.fault:
                self._look_at_end(tar.offset)
        except RecursionError:
            self.fault = f"too many headers follow each other after byte {at}, without a file"
        except (tarfile.TarError, ValueError, OverflowError) as error:  # what a damaged extended header leads to
            if not at and isinstance(error, tarfile.ReadError):
                raise
            self.fault = f"it is damaged after byte {at} ({error})"

    def _look_at_end(self, at: int) -> None:
        """tarfile stops without a word at a damaged header, and at the end of the first of tars that were joined."""
        self.stream.seek(at)
        rest = self.stream.read(_PADDING)
        self.has_end = bool(rest)
        if any(rest[:_BLOCK]) or 0 < len(rest) < _BLOCK:
            self.fault = f"the header at byte {at} is damaged"
        elif any(rest):
            self.fault = f"other data follow its end at byte {at}, as where tars were joined"


def _content(uri: str, stream: io.BufferedReader, size: int, is_text: Callable[[str], bool]) -> TarContent:
    walk, members, rejects = _Walk(stream, size), list[Member](), list[Reject]()
    try:
        for found in walk:
            name = shown(found.name).removeprefix("./").lstrip("/")
            try:
                members.append(_member(name, found, stream, is_text))
            except ValueError as error:
                rejects.append(Reject(name, f"{uri}: {name}: {error}"))
    except tarfile.ReadError as error:
        raise ValueError(f"{uri} is not a tar file ({error}); fetch it again or leave it out") from None
    if walk.fault:
        why = f"{uri}: {walk.fault}; what follows is not read, so fetch or make it again"
        rejects.append(Reject(uri.rpartition("/")[2], why))
    counts = {NO_END: int(not walk.has_end), NO_FILES: walk.special}
    return TarContent(tuple(members), tuple(rejects), {what: count for what, count in counts.items() if count})


def _member(name: str, found: tarfile.TarInfo, stream: io.BufferedReader, is_text: Callable[[str], bool]) -> Member:
    if shown(found.name) != found.name:
        raise ValueError("its name is not UTF-8; rename it")
    if not is_text(name):
        return Member(name, found.offset_data, found.size)
    if found.size > MOST_TEXT_BYTES:
        raise ValueError(f"it has over {MOST_TEXT_BYTES:,} bytes, too many for a text; make it smaller")
    stream.seek(found.offset_data)
    return Member(name, found.offset_data, found.size, stream.read(found.size))


def shown(name: str) -> str:
    """A name from a tar as text; what is not UTF-8 in it becomes an escape."""
    return name.encode(errors="backslashreplace").decode()
