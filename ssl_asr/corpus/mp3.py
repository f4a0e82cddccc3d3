"""Frames of MP3 files (ISO/IEC 11172-3 and 13818-3, layer III): what libsndfile does not tell of them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cache
from typing import Final

from ssl_asr.corpus.paged_file import ByteStream

# Kilobits a second by the index in a header, of MPEG-1 and of the lower sampling rates; 0 can't be known.
_KILOBITS: Final = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
)
_RATES: Final = (44100, 48000, 32000, 0)
FIRST_BYTES = 256  # of the first frame: they hold the number of frames, where it is known
TWO_FRAMES_BYTES = 1445  # the longest frame, and the header behind it
_TAIL_BYTES = 16384  # ten of the longest frames
_LEAST_FRAMES = 3  # in a row, before a header is believed
_XING, _VBRI = (b"Xing", b"Info"), b"VBRI"
_PIECE_BYTES = 1 << 22  # an hour is a few reads


@dataclass(frozen=True)
class Mp3:
    """How an MP3 tells its length: its first frame holds `told` frames in place of sound.

    `told` is None where it doesn't, or where what it says is wrong, as of files that were joined: then frames are
    those from `begin` on, behind such a first frame. Each holds `frame_samples` of a channel.
    """

    begin: int
    told: int | None
    frame_samples: int


def mp3_of(stream: ByteStream) -> Mp3 | None:
    """What is known of a file before its frames are counted; None if it is no MP3."""
    begin = begin_of_frames(stream)
    stream.seek(begin)
    first = stream.read(FIRST_BYTES)
    if len(first) < FIRST_BYTES or not is_frame(first):
        return None
    samples = 1152 if first[1] >> 3 & 3 == 3 else 576
    if not any(mark in first for mark in (*_XING, _VBRI)):
        return Mp3(begin, None, samples)
    told, sound = _told(first)
    if told is None or sound is None or _frames_at(stream, begin + sound):
        return Mp3(begin + _length(first, first), None, samples)
    return Mp3(begin, told, samples)


def count_frames(stream: ByteStream, begin: int, size: int) -> int | None:
    """Frames from `begin` to the end of the file, by their headers; None where something else is between them."""
    stream.seek(begin)
    first = stream.read(4)
    if len(first) < 4 or not is_frame(first):
        return None
    lengths = _lengths(first[1] & 0xFE, first[2] & 12)
    base, frames = begin, 0
    while base < size:
        stream.seek(base)
        data, at = stream.read(_PIECE_BYTES), 0
        while length := lengths.get(data[at : at + 3], 0):
            at, frames = at + length, frames + 1
        behind = _behind_tag(data[at : at + 10])
        if not at and not behind:
            return None if any(data) else frames
        base += at + behind
    return frames


def places_of_frames(stream: ByteStream, begin: int) -> array[int]:
    """Where each of the frames begins that follow each other from `begin` on, with nothing between them."""
    places = array("q")
    stream.seek(begin)
    first = stream.read(4)
    lengths = _lengths(first[1] & 0xFE, first[2] & 12) if len(first) == 4 and is_frame(first) else {}
    while True:
        stream.seek(begin)
        data, at = stream.read(_PIECE_BYTES), 0
        while length := lengths.get(data[at : at + 3], 0):
            places.append(begin + at)
            at += length
        if not at:
            return places
        begin += at


def begin_of_frames(stream: ByteStream, begin: int = 0) -> int:
    """Where the first frame behind tags is."""
    stream.seek(begin)
    while length := _behind_tag(stream.read(10)):
        begin += length
        stream.seek(begin)
    return begin


def _behind_tag(head: bytes) -> int:
    """Bytes of a tag that begins so: ID3v2 before frames, or ID3v1 behind them; 0 if none does."""
    if head[:3] == b"TAG":
        return 128
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    bits = [byte & 0x7F for byte in head[6:10]]
    return 10 + (bits[0] << 21 | bits[1] << 14 | bits[2] << 7 | bits[3])


def is_frame(data: bytes) -> bool:
    """Whether a frame of layer III seems to begin here."""
    return len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2


def begins_with_frames(data: bytes) -> bool:
    """Whether `data` begins with a frame and, behind it, the header of another of the same stream."""
    length = _length(data[:4], data[:4])
    return length > 0 and _length(data[length : length + 4], data[:4]) > 0


def claimed_end(stream: ByteStream) -> int | None:
    """Where the file should end by what its first frame says; None if it says nothing."""
    begin = begin_of_frames(stream)
    stream.seek(begin)
    first = stream.read(FIRST_BYTES)
    sound = _told(first)[1] if is_frame(first) else None
    return None if sound is None else begin + sound


def ends_within_frame(stream: ByteStream, size: int) -> bool:
    """Whether an MP3 of `size` bytes ends within a frame, or within the tag before all frames."""
    begin = begin_of_frames(stream)
    if begin > size:
        return True
    stream.seek(begin)
    if not is_frame(stream.read(2)):
        return False
    stream.seek(max(begin, size - _TAIL_BYTES))
    return _is_cut(stream.read(_TAIL_BYTES))


def _told(frame: bytes) -> tuple[int | None, int | None]:
    """Frames and bytes of sound, as encoders write them into the first frame (Xing's and Fraunhofer's form)."""
    if (at := frame.find(_VBRI)) >= 0:
        return int.from_bytes(frame[at + 14 : at + 18], "big"), int.from_bytes(frame[at + 10 : at + 14], "big")
    at = max(frame.find(mark) for mark in _XING)
    flags = int.from_bytes(frame[at + 4 : at + 8], "big") if at >= 0 else 0
    place = at + 8 + 4 * (flags & 1)
    frames = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else None
    return frames, int.from_bytes(frame[place : place + 4], "big") if flags & 2 else None


def _frames_at(stream: ByteStream, place: int) -> bool:
    """Whether some frames in a row begin at `place`, or behind tags there."""
    place = begin_of_frames(stream, place)
    for _ in range(_LEAST_FRAMES):
        stream.seek(place)
        header = stream.read(4)
        if not (length := _length(header, header)):
            return False
        place += length
    return True


def _is_cut(tail: bytes) -> bool:
    """False too if no frames in a row are found. What follows the frames, such as a tag, is no frame."""
    for begin in range(min(len(tail), 3000)):
        at, frames = begin, 0
        while (length := _length(tail[at : at + 4], like=tail[begin : begin + 4])) and at + length <= len(tail):
            at, frames = at + length, frames + 1
        if frames >= _LEAST_FRAMES:
            left = tail[at : at + 4]
            partial = 0 < len(left) < 4 and left[:2] == tail[begin : begin + 2][: len(left)]
            return partial or length > 0
    return False


def _length(header: bytes, like: bytes) -> int:
    """Bytes of the frame that begins with this header, if it is of the same stream as another; else 0."""
    if len(header) < 3 or not is_frame(header) or header[1] & 0xFE != like[1] & 0xFE or (header[2] ^ like[2]) & 12:
        return 0
    version = header[1] >> 3 & 3  # 3: MPEG-1, 2: half the sampling rate, 0: a quarter
    rate = _RATES[header[2] >> 2 & 3] // {3: 1, 2: 2}.get(version, 4)
    kilobits = _KILOBITS[version != 3][header[2] >> 4]
    if not rate or not kilobits or version == 1:
        return 0
    return (144 if version == 3 else 72) * 1000 * kilobits // rate + (header[2] >> 1 & 1)


@cache
def _lengths(second: int, third: int) -> dict[bytes, int]:
    """By their first three bytes, the lengths of all frames of a stream, whose headers have these bits in common."""
    like = bytes((0xFF, second, third))
    headers = (bytes((0xFF, second | crc, byte)) for crc in (0, 1) for byte in range(256))
    return {header: length for header in headers if (length := _length(header, like))}
