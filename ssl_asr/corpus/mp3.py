"""Frames of MP3 files (ISO/IEC 11172-3 and 13818-3, layer III): what libsndfile does not tell of them."""

from __future__ import annotations

from typing import IO, Final

# Kilobits a second by the index in a header, of MPEG-1 and of the lower sampling rates; 0 can't be known.
_KILOBITS: Final = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
)
_RATES: Final = (44100, 48000, 32000, 0)
FIRST_BYTES = 256  # of the first frame: they hold the number of frames, where it is known
_TAIL_BYTES = 16384  # ten of the longest frames
_LEAST_FRAMES = 3  # in a row, before a header is believed
_XING, _VBRI = (b"Xing", b"Info"), b"VBRI"


def begin_of_frames(head: bytes) -> int:
    """Where the first frame is, behind an ID3v2 tag, by the first 10 bytes of the file."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    bits = [byte & 0x7F for byte in head[6:10]]
    return 10 + (bits[0] << 21 | bits[1] << 14 | bits[2] << 7 | bits[3])


def is_frame(data: bytes) -> bool:
    """Whether a frame of layer III seems to begin here."""
    return len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2


def says_length(frame: bytes) -> bool:
    """Whether the first frame holds the number of frames in place of sound."""
    return any(mark in frame[:FIRST_BYTES] for mark in (*_XING, _VBRI))


def claimed_end(stream: IO[bytes], head: bytes) -> int | None:
    """Where the file should end by what its first frame says; `head` is its begin. None if it says nothing."""
    begin = begin_of_frames(head)
    stream.seek(begin)
    first = stream.read(FIRST_BYTES)
    sound = _bytes_of_frames(first) if is_frame(first) else None
    return None if sound is None else begin + sound


def ends_within_frame(stream: IO[bytes], head: bytes, size: int) -> bool:
    """Whether an MP3 of `size` bytes ends within a frame, or within the tag before all frames."""
    begin = begin_of_frames(head)
    if begin > size:
        return True
    stream.seek(begin)
    if not is_frame(stream.read(2)):
        return False
    stream.seek(max(begin, size - _TAIL_BYTES))
    return _is_cut(stream.read(_TAIL_BYTES))


def _bytes_of_frames(frame: bytes) -> int | None:
    """All bytes of sound, as encoders write them into the first frame (Xing's and Fraunhofer's form)."""
    if (at := frame.find(_VBRI)) >= 0:
        return int.from_bytes(frame[at + 10 : at + 14], "big")
    at = max(frame.find(mark) for mark in _XING)
    flags = int.from_bytes(frame[at + 4 : at + 8], "big") if at >= 0 else 0
    place = at + 8 + 4 * (flags & 1)
    return int.from_bytes(frame[place : place + 4], "big") if flags & 2 else None


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
    if len(header) < 4 or not is_frame(header) or header[1] & 0xFE != like[1] & 0xFE or (header[2] ^ like[2]) & 12:
        return 0
    version = header[1] >> 3 & 3  # 3: MPEG-1, 2: half the sampling rate, 0: a quarter
    rate = _RATES[header[2] >> 2 & 3] // {3: 1, 2: 2}.get(version, 4)
    kilobits = _KILOBITS[version != 3][header[2] >> 4]
    if not rate or not kilobits or version == 1:
        return 0
    return (144 if version == 3 else 72) * 1000 * kilobits // rate + (header[2] >> 1 & 1)
