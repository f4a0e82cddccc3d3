"""Reads audio: any format of libsndfile, any rate, one channel, a segment by offset; and measures its length."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ssl_asr.store import filesystem

# A header may claim more than the file holds. This much is allowed for a container's rounding.
TOLERANCE_SECONDS = 0.05
MIN_RATE, MAX_RATE = 4000, 384000
_BLOCK_FRAMES = 1 << 16
_BUFFER_BYTES = 1 << 18  # libsndfile reads a few kilobytes at a time, which would be a request each


@dataclass(frozen=True)
class AudioInfo:
    """What a file holds: samples a second, channels, and the length of a channel in seconds."""

    sample_rate: int
    channels: int
    seconds: float


@contextmanager
def _opened(uri: str) -> Iterator[soundfile.SoundFile]:
    """Opens `uri` with libsndfile; ValueError with one sentence if that fails."""
    fs, path = filesystem.resolve(uri)
    try:
        stream = fs.open_input_file(path)
    except OSError as error:
        raise ValueError(f"{uri}: the audio file is missing or unreadable; correct its path in the source") from error
    with stream:
        if stream.size() == 0:
            raise ValueError(f"{uri}: the audio file is empty; fetch or record it again")
        _check_riff_size(uri, stream.read(8), stream.size())
        stream.seek(0)
        source = _Source(io.BufferedReader(stream, _BUFFER_BYTES))
        # libsndfile can't recognise headerless GSM, which has no magic number.
        raw = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
        try:
            with soundfile.SoundFile(source, **(raw if path.endswith(".gsm") else {})) as file:
                if not MIN_RATE <= file.samplerate <= MAX_RATE:
                    raise ValueError(
                        f"{uri}: the sample rate {file.samplerate} Hz is outside {MIN_RATE}-{MAX_RATE} Hz; "
                        "convert the file or fix its header"
                    )
                yield file
        except soundfile.LibsndfileError as error:
            raise ValueError(
                f"{uri}: libsndfile can't read this audio ({error.error_string}); convert it to WAV or FLAC"
            ) from error
        finally:
            source.check()


class _Source:
    """A file as libsndfile calls it, which takes an error for the end of the file: the first one is kept."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._error: OSError | None = None

    def check(self) -> None:
        """OSError if reading failed."""
        if self._error is not None:
            raise self._error

    def readinto(self, buffer: Any) -> int:
        try:
            return self._stream.readinto(buffer)
        except OSError as error:
            self._error = self._error or error
            return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _check_riff_size(uri: str, head: bytes, size: int) -> None:
    """ValueError if a WAV file is truncated: libsndfile reads it as a shorter file, but the header has the size."""
    claimed = int.from_bytes(head[4:8], "little") + 8
    streamed = claimed in (8, 2**32 + 7)  # written to a pipe, length unknown
    if head[:4] == b"RIFF" and claimed > size + 1 and not streamed:
        raise ValueError(
            f"{uri}: the WAV file is truncated, its header claims {claimed} bytes and {size} are there; "
            "fetch or record it again"
        )


def audio_info(uri: str) -> AudioInfo:
    """Rate, channels and length of `uri`; ValueError with one sentence on a missing, empty or unknown file."""
    with _opened(uri) as file:
        # An MP3's header only estimates the length, so the frames are counted.
        frames = _count_frames(file) if file.format == "MP3" else file.frames
        return AudioInfo(file.samplerate, file.channels, frames / file.samplerate)


def channels_of(uri: str) -> int:
    """How many channels a file has, by its header; ValueError as `audio_info`."""
    with _opened(uri) as file:
        return int(file.channels)


def _count_frames(file: soundfile.SoundFile) -> int:
    count = 0
    while block := len(file.read(1 << 18, dtype="int16")):
        count += block
    return count


def read_audio(uri: str, offset: float, duration: float, channel: int, sample_rate: float) -> npt.NDArray[np.float32]:
    """A segment of one channel, resampled: [samples], nominally in [-1, 1].

    `offset` and `duration` are seconds. ValueError with one sentence on a missing, empty or truncated file, a
    missing channel, an impossible rate, or NaN or infinite samples.
    """
    with _opened(uri) as file:
        _check_channel(uri, channel, file)
        native, start = file.samplerate, round(offset * file.samplerate)
        length = round(duration * native)
        if file.seekable() and start:
            file.seek(min(start, file.frames))
        samples = file.read(length, dtype="float32", always_2d=True)[:, channel]
    _check_length(uri, offset, duration, len(samples) / native)
    _check_finite(uri, samples)
    if native != sample_rate:
        samples = soxr.resample(samples, native, sample_rate, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def audio_blocks(
    uri: str,
    sample_rate: int,
    *,
    channel: int = 0,
    offset: float = 0.0,
    duration: float = math.inf,
    block_frames: int = _BLOCK_FRAMES,
) -> Iterator[npt.NDArray[np.float32]]:
    """One channel of a file of any length, block by block and resampled: each [some samples], nominally in [-1, 1].

    A block is read as `block_frames` samples of the file, so memory does not grow with its length. `offset` and
    `duration` are seconds; without a duration it is read to its end. ValueError as `read_audio`, but what is wrong
    further inside a file is found when it is reached.
    """
    with _opened(uri) as file:
        _check_channel(uri, channel, file)
        native = file.samplerate
        _skip(file, round(offset * native), block_frames)
        wanted = math.inf if math.isinf(duration) else round(duration * native)
        resampler = soxr.ResampleStream(native, sample_rate, 1, "float32") if native != sample_rate else None
        done = 0
        while done < wanted:
            block = file.read(int(min(block_frames, wanted - done)), dtype="float32", always_2d=True)[:, channel]
            if not len(block):
                break
            _check_finite(uri, block)
            done += len(block)
            yield np.ascontiguousarray(block) if resampler is None else resampler.resample_chunk(block)
        _check_length(uri, offset, duration, done / native)
        if resampler is not None:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _skip(file: soundfile.SoundFile, frames: int, block_frames: int) -> None:
    if frames and file.seekable():  # libmpg123 complains of a seek to the beginning
        file.seek(min(frames, file.frames))
        return
    while frames and (read := len(file.read(min(frames, block_frames)))):
        frames -= read


def _check_channel(uri: str, channel: int, file: soundfile.SoundFile) -> None:
    if channel >= file.channels:
        raise ValueError(
            f"{uri}: channel {channel} was asked for, but the file has {file.channels} from 0 on; "
            "choose one of them or fix the source"
        )


def _check_length(uri: str, offset: float, duration: float, seconds: float) -> None:
    if seconds == 0 or (math.isfinite(duration) and seconds < duration - TOLERANCE_SECONDS):
        asked = f"{duration:.2f} s from {offset:.2f} s were" if math.isfinite(duration) else "audio was"
        raise ValueError(
            f"{uri}: {asked} asked for, but only {seconds:.2f} s "
            "are there; the file is truncated or its times are wrong"
        )


def _check_finite(uri: str, samples: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(samples).all():
        raise ValueError(f"{uri}: the audio holds NaN or infinite samples; convert it again from its original")
