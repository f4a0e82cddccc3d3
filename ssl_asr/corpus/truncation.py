"""Whether an audio file was cut short: libsndfile reads such a file as a shorter one, without a word.

Most containers say in their header how many bytes there are; others are made of pages or frames, and a file that was
cut ends within one. Nothing shows it where it was cut between two of them, or where whoever wrote it could not know
its length (a pipe). FLAC is not looked at here: it says how many samples there are (`audio.py`).
"""

from __future__ import annotations

import re

from ssl_asr.corpus.chunks import sample_chunk
from ssl_asr.corpus.mp3 import claimed_end, ends_within_frame
from ssl_asr.corpus.paged_file import ByteStream

_HEAD_BYTES = 1024
_MOST_OGG_PAGE = 65307  # RFC 3533
_GSM_FRAME = 33


def truncation(stream: ByteStream, size: int, *, gsm: bool = False) -> str | None:
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
    return "its last frame is not whole" if ends_within_frame(stream, size) else None


def unknown_length(stream: ByteStream, size: int) -> tuple[int, bytes] | None:
    """The bytes of the header that should tell the length of the samples and don't, mended, and their place."""
    stream.seek(0)
    chunk = sample_chunk(stream, stream.read(_HEAD_BYTES), size)
    return chunk.patch(size) if chunk and chunk.is_unknown(stream, size) else None


def _claimed(stream: ByteStream, head: bytes, size: int) -> int | None:
    """How many bytes the header says that there are; None if it doesn't."""
    if head[:4] == b"caff":
        return _caf_end(stream, size)
    if chunk := sample_chunk(stream, head, size):
        return None if chunk.is_unknown(stream, size) else chunk.end
    return _sphere(head) if head.startswith(b"NIST_1A\n") else claimed_end(stream)


def _sphere(head: bytes) -> int | None:
    """NIST SPHERE; None if a field is missing, or if samples are compressed."""
    length = re.match(rb"NIST_1A\n\s*(\d+)\n", head)
    fields = [re.search(rb"\n%b -i (\d+)" % name, head) for name in (b"sample_count", b"sample_n_bytes")]
    channels = re.search(rb"\nchannel_count -i (\d+)", head)
    if length is None or None in fields or b"embedded" in head:
        return None
    count, width = (int(field.group(1)) for field in fields if field)
    return int(length.group(1)) + count * width * (int(channels.group(1)) if channels else 1)


def _caf_end(stream: ByteStream, size: int) -> int | None:
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


def _is_cut_ogg(stream: ByteStream, size: int) -> bool:
    """Whether the last page is longer than what is there of it."""
    stream.seek(max(0, size - _MOST_OGG_PAGE - 4))
    tail = stream.read(_MOST_OGG_PAGE + 4)
    last = tail[tail.rfind(b"OggS\x00") :]
    segments = last[26] if len(last) > 26 else 255
    length = 27 + segments + sum(last[27 : 27 + segments])
    return length > len(last) or any(last[length:] == b"OggS\x00"[:cut] for cut in (1, 2, 3, 4))
