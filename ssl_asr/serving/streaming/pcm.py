"""Audio from a pipe: a WAV file whose length need not be known, or raw samples."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soundfile

from ssl_asr.corpus.audio_files import MAX_RATE, MIN_RATE
from ssl_asr.corpus.mp3 import TWO_FRAMES_BYTES, is_frame
from ssl_asr.corpus.resampling import Resampler
from ssl_asr.decoding.scores import Float32
from ssl_asr.serving.streaming.other_formats import HEAD_BYTES, other_format

# ffmpeg's names of raw formats, and libsndfile's.
ENCODINGS = {
    **{"u8": "PCM_U8", "s16le": "PCM_16", "s24le": "PCM_24", "s32le": "PCM_32"},
    **{"f32le": "FLOAT", "f64le": "DOUBLE", "alaw": "ALAW", "mulaw": "ULAW"},
}
_BYTES = {"u8": 1, "s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8, "alaw": 1, "mulaw": 1}
# (format tag, bits) of a WAV file's "fmt " chunk (mmreg.h). The tag of an extensible one is in its GUID.
_WAV = {
    **{(1, 8): "u8", (1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le"},
    **{(3, 32): "f32le", (3, 64): "f64le", (6, 8): "alaw", (7, 8): "mulaw"},
}
_EXTENSIBLE = 0xFFFE
# Who writes to a pipe does not know the length: arecord and sox write about 2^31, ffmpeg 2^32 - 1, others 0.
_LEAST_UNKNOWN = 0x7FFF0000
_MOST_FORMAT_BYTES, _MOST_CHANNELS = 4096, 1024


class Pipe(Protocol):
    """Any buffered binary stream, such as `sys.stdin.buffer`."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes, as soon as there are some; none at the end."""


@dataclass(frozen=True)
class PcmFormat:
    """`encoding` is one of ENCODINGS; samples of all channels alternate."""

    encoding: str
    rate: int
    channels: int

    def __str__(self) -> str:
        channels = f"{self.channels} channels" if self.channels > 1 else "1 channel"
        return f"{self.encoding}, {self.rate} Hz, {channels}"

    @property
    def frame_bytes(self) -> int:
        return _BYTES[self.encoding] * self.channels


class PcmReader:
    """Reads one pipe: WAV if it begins like WAV, else samples of the format `raw`."""

    def __init__(self, pipe: Pipe, raw: PcmFormat) -> None:
        """Waits for the first bytes. ValueError in one sentence for WAV that can't be read, or other formats."""
        self._pipe = pipe
        self._waiting = b""  # read and not used yet
        self._left: int | None = None  # bytes of audio, if known
        self._fill(HEAD_BYTES)
        if is_frame(self._waiting):
            self._fill(TWO_FRAMES_BYTES)
        head = self._waiting
        self.is_wav = head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"
        if (other := other_format(head)) is not None:
            raise ValueError(f"standard input is {other}")
        self.format = self._wav_format() if self.is_wav else raw
        _check(self.format)

    def blocks(self, seconds: float, rate: int, channel: int = 0) -> Iterator[Float32]:
        """One channel at `rate`, in blocks [some samples] of `seconds`, each as soon as it is there.

        ValueError if the channel is missing, if there is no audio, or on NaN or infinite samples.
        """
        found = self.format
        if channel >= found.channels:
            raise ValueError(f"standard input has {found.channels} channels from 0 on, and no channel {channel}")
        resampler = Resampler(found.rate, rate)
        size = max(round(seconds * found.rate), 1) * found.frame_bytes
        any_audio = False
        while data := self._take(size):
            any_audio = True
            block = np.ascontiguousarray(_decoded(data, found)[:, channel])
            if not np.isfinite(block).all():
                raise ValueError(f"standard input holds NaN or infinite samples; is it {found.encoding}?")
            yield resampler.add(block)
        if not any_audio:
            raise ValueError("standard input has no audio; does the program before it work?")
        if len(rest := resampler.finish()):
            yield rest

    def _take(self, size: int) -> bytes:
        """The next whole frames of audio: `size` bytes, fewer only at the end."""
        size = size if self._left is None else min(size, self._left)
        self._fill(size)
        data = self._waiting[:size]
        data = data[: len(data) // self.format.frame_bytes * self.format.frame_bytes]
        self._waiting = self._waiting[len(data) :]
        self._left = None if self._left is None else self._left - len(data)
        return data

    def _wav_format(self) -> PcmFormat:
        """Reads up to the first sample (Multimedia Programming Interface and Data Specifications 1.0, RIFF WAVE)."""
        self._skip(12)
        found = None
        while True:
            self._fill(8)
            if len(self._waiting) < 8:
                raise ValueError("standard input is WAV without audio")
            name, size = struct.unpack("<4sI", self._waiting[:8])
            self._skip(8)
            if name == b"data" and found is not None:
                self._left = size if 0 < size < _LEAST_UNKNOWN else None
                return found
            if name == b"fmt " and 16 <= size <= _MOST_FORMAT_BYTES:
                self._fill(size)
                found = _wav_format(self._waiting[:size])
            self._skip(size + size % 2)

    def _fill(self, size: int) -> None:
        """`size` bytes at least are waiting, unless the pipe has ended. An interruption loses none."""
        while len(self._waiting) < size and (data := self._pipe.read1(size - len(self._waiting))):
            self._waiting += data

    def _skip(self, size: int) -> None:
        while size:
            self._fill(min(size, 1 << 16))
            if not self._waiting:
                return
            passed = min(size, len(self._waiting))
            self._waiting = self._waiting[passed:]
            size -= passed


def _decoded(data: bytes, found: PcmFormat) -> Float32:
    """[samples, channels], nominally in [-1, 1]."""
    samples, _ = soundfile.read(
        io.BytesIO(data),
        samplerate=found.rate,
        channels=found.channels,
        format="RAW",
        subtype=ENCODINGS[found.encoding],
        endian="LITTLE",
        dtype="float32",
        always_2d=True,
    )
    return np.asarray(samples, np.float32)


def _wav_format(chunk: bytes) -> PcmFormat:
    if len(chunk) < 16:
        raise ValueError("standard input is WAV that ends in its header")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack("<H", chunk[24:26])
    if (tag, bits) not in _WAV:
        raise ValueError(
            f"standard input is WAV of a kind that is not read (format {tag} with {bits} bits); convert it to 16 bits"
        )
    return PcmFormat(_WAV[tag, bits], rate, channels)


def _check(found: PcmFormat) -> None:
    if not MIN_RATE <= found.rate <= MAX_RATE or not 1 <= found.channels <= _MOST_CHANNELS:
        raise ValueError(
            f"standard input is {found}; {MIN_RATE}-{MAX_RATE} Hz and 1-{_MOST_CHANNELS} channels are possible"
        )
