"""Whether an audio file was cut short: libsndfile reads such a file as a shorter one, without a word.

Most containers say in their header how many bytes there are; others are made of pages or frames, and a file that was
cut ends within one. Nothing shows it where it was cut between two of them, or where whoever wrote it could not know
its length (a pipe). FLAC is not looked at here: it says how many samples there are (`audio.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, Final

from ssl_asr.corpus.mp3 import claimed_end, ends_within_frame

# Sizes in headers of what was written to a pipe, each with up to 255 bytes more: those of ffmpeg, sox and arecord.
_UNKNOWN: Final = (0, 0x7F000000, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFF00)
_HEAD_BYTES = 1024
_MOST_OGG_PAGE = 65307  # RFC 3533
_GSM_FRAME = 33
Stream = IO[bytes]


def truncation(stream: Stream, size: int, *, gsm: bool = False) -> str | None:
    """What shows that a file of `size` bytes was cut short, as a main clause; None if nothing does.

    `gsm` says that it is bare GSM 06.10. The stream is left anywhere.
    """
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if gsm:
        return "its last frame is not whole" if size % _GSM_FRAME else None
    if head[:4] == b"OggS":
        return "its last page is not whole" if _is_cut_ogg(stream, size) else None
    claimed = _claimed(stream, head, size)
    if claimed is not None and claimed > size + 1:  # a last byte of padding is often left out
        return f"its header claims {claimed} bytes and {size} are there"
    return "its last frame is not whole" if ends_within_frame(stream, head, size) else None


def _claimed(stream: Stream, head: bytes, size: int) -> int | None:
    """How many bytes the header says that there are; None if it doesn't."""
    if head[:4] == b"caff":
        return _caf_end(stream, size)
    for mark, found in _CLAIMS.items():
        if head.startswith(mark):
            return found(head)
    return claimed_end(stream, head)


def _whole(head: bytes, place: int, length: int, order: str = "little") -> int:
    return int.from_bytes(head[place : place + length], "big" if order == "big" else "little")


def _known(size: int) -> int | None:
    return None if any(mark <= size < mark + 256 for mark in _UNKNOWN) else size


def _riff(head: bytes) -> int | None:
    size = _known(_whole(head, 4, 4))
    return None if size is None else size + 8


def _rf64(head: bytes) -> int | None:
    """EBU Tech 3306: the chunk ds64 comes first and has the true size."""
    return _whole(head, 20, 8) + 8 if head[12:16] == b"ds64" else None


def _wave64(head: bytes) -> int | None:
    return _whole(head, 16, 8)


def _aiff(head: bytes) -> int | None:
    size = _known(_whole(head, 4, 4, "big"))
    return None if size is None else size + 8


def _au(head: bytes) -> int | None:
    order = "big" if head[:4] == b".snd" else "little"
    size = _known(_whole(head, 8, 4, order))
    return None if size is None else size + _whole(head, 4, 4, order)


def _sphere(head: bytes) -> int | None:
    """NIST SPHERE; None if a field is missing, or if samples are compressed."""
    length = re.match(rb"NIST_1A\n\s*(\d+)\n", head)
    fields = [re.search(rb"\n%b -i (\d+)" % name, head) for name in (b"sample_count", b"sample_n_bytes")]
    channels = re.search(rb"\nchannel_count -i (\d+)", head)
    if length is None or None in fields or b"embedded" in head:
        return None
    count, width = (int(field.group(1)) for field in fields if field)
    return int(length.group(1)) + count * width * (int(channels.group(1)) if channels else 1)


_CLAIMS: Final[dict[bytes, Callable[[bytes], int | None]]] = {
    b"RIFF": _riff,
    b"RF64": _rf64,
    b"BW64": _rf64,
    b"riff\x2e\x91\xcf\x11": _wave64,
    b"FORM": _aiff,
    b".snd": _au,
    b"dns.": _au,
    b"NIST_1A\n": _sphere,
}


def _caf_end(stream: Stream, size: int) -> int | None:
    """Where the chunk of samples should end; None if it goes to the end, as that of a recording under way."""
    at = 8
    while at + 12 <= size:
        stream.seek(at)
        chunk = stream.read(12)
        length = int.from_bytes(chunk[4:], "big", signed=True)
        if length < 0:
            return None
        at += 12 + length
        if chunk[:4] == b"data":
            break
    return at


def _is_cut_ogg(stream: Stream, size: int) -> bool:
    """Whether the last page is longer than what is there of it."""
    stream.seek(max(0, size - _MOST_OGG_PAGE - 4))
    tail = stream.read(_MOST_OGG_PAGE + 4)
    last = tail[tail.rfind(b"OggS\x00") :]
    segments = last[26] if len(last) > 26 else 255
    length = 27 + segments + sum(last[27 : 27 + segments])
    return length > len(last) or any(last[length:] == b"OggS\x00"[:cut] for cut in (1, 2, 3, 4))
