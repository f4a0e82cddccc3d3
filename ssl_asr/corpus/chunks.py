"""What headers of WAV, RF64, W64, AIFF and AU say of the length of their samples, and whether it is known.

The chunk of the samples decides, not the size of the whole: many writers get it wrong, and Kaldi only warns of it.
Whoever writes to a pipe can't know the length, and leaves a dummy there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ssl_asr.corpus.paged_file import ByteStream

# Lengths in headers of what was written to a pipe, each with up to 255 bytes more: those of ffmpeg, sox and arecord.
_UNKNOWN: Final = (0x7F000000, 0x7FFFF000, 0x7FFFFF00, 0x80000000, 0xFFFFFF00)
_UNKNOWN_LONG: Final = 1 << 62  # ffmpeg's W64 has the largest number of 63 bits, others that of 64
_MOST_CHUNKS = 1000
_W64_DATA: Final = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_HEADER = 24  # bytes of a chunk before its content; its length counts them


@dataclass(frozen=True)
class SampleChunk:
    """`length` bytes from `begin` on, as a header claims; the length is the `width` bytes at `place`.

    `counted` bytes before `begin` are part of the number that is written there.
    """

    begin: int
    length: int
    place: int
    width: int
    order: Literal["little", "big"] = "little"
    counted: int = 0
    followed: bool = True  # other chunks may come behind

    @property
    def end(self) -> int:
        return self.begin + self.length

    def is_unknown(self, stream: ByteStream, size: int) -> bool:
        """Whether the claim is a dummy in a file of `size` bytes, so that the samples go on to its end."""
        if self.length <= 0:
            return self.begin < size and not (self.followed and _are_chunks(stream, self.begin, size, self.order))
        dummy = any(mark <= self.length + self.counted < mark + 256 for mark in _UNKNOWN)
        return self.end > size + 1 and (dummy or self.length >= _UNKNOWN_LONG)

    def patch(self, size: int) -> tuple[int, bytes]:
        """The claim that the samples go on to the end, as bytes, and their place."""
        length = min(size - self.begin + self.counted, (1 << 8 * self.width) - 1)
        return self.place, length.to_bytes(self.width, self.order)


def sample_chunk(stream: ByteStream, head: bytes, size: int) -> SampleChunk | None:
    """The chunk of the samples in a file of `size` bytes that begins with `head`; None if it has none."""
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE":
        return _named(stream, size, b"data", "little" if head[:4] == b"RIFF" else "big")
    if head[:4] in (b"RF64", b"BW64"):
        return _rf64(stream, head, size)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        found = _named(stream, size, b"SSND", "big")  # two numbers come before its samples
        return found and SampleChunk(found.begin + 8, found.length - 8, found.place, 4, "big", counted=8)
    if head.startswith(b"riff\x2e\x91\xcf\x11"):
        return _wave64(stream, size)
    if head[:4] in (b".snd", b"dns.") and len(head) >= 12:
        order: Literal["little", "big"] = "big" if head[:4] == b".snd" else "little"
        begin, length = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))
        return SampleChunk(begin, length, 8, 4, order, followed=False)
    return None


def _chunks(
    stream: ByteStream, begin: int, size: int, order: Literal["little", "big"]
) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content and length of each chunk from `begin` on, until one can't be."""
    at = begin
    for _ in range(_MOST_CHUNKS):
        stream.seek(at)
        header = stream.read(8) if at < size else b""
        name, length = header[:4], int.from_bytes(header[4:], order)
        if len(header) < 8 or not (name.isascii() and name.decode().isprintable()):
            return
        yield name, at + 8, length
        at += 8 + length + length % 2


def _are_chunks(stream: ByteStream, begin: int, size: int, order: Literal["little", "big"]) -> bool:
    """Whether other chunks fill the file from `begin` on."""
    ends = [at + length for _, at, length in _chunks(stream, begin, size, order)]
    return bool(ends) and size - 1 <= ends[-1] <= size


def _named(stream: ByteStream, size: int, wanted: bytes, order: Literal["little", "big"]) -> SampleChunk | None:
    for name, at, length in _chunks(stream, 12, size, order):
        if name == wanted:
            return SampleChunk(at, length, at - 4, 4, order)
    return None


def _rf64(stream: ByteStream, head: bytes, size: int) -> SampleChunk | None:
    """EBU Tech 3306: the chunk ds64 comes first and has the true length of the samples."""
    found = _named(stream, size, b"data", "little")
    if found is None or head[12:16] != b"ds64" or found.length != 0xFFFFFFFF:
        return found
    return SampleChunk(found.begin, int.from_bytes(head[28:36], "little"), 28, 8)


def _wave64(stream: ByteStream, size: int) -> SampleChunk | None:
    at = 40
    for _ in range(_MOST_CHUNKS):
        stream.seek(at)
        header = stream.read(_W64_HEADER) if at < size else b""
        length = int.from_bytes(header[16:], "little")
        if len(header) < _W64_HEADER or (length < _W64_HEADER and header[:16] != _W64_DATA):
            return None
        if header[:16] == _W64_DATA:
            place = at + 16
            return SampleChunk(at + _W64_HEADER, length - _W64_HEADER, place, 8, counted=_W64_HEADER, followed=False)
        at += -(-length // 8) * 8
    return None
