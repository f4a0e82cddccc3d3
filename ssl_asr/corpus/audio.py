"""Reads audio: any format of libsndfile, any rate, one channel, a segment by offset; and measures its length."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ssl_asr.store import filesystem

# A header may claim more than the file holds. This much is allowed for a container's rounding.
TOLERANCE_SECONDS = 0.05
MIN_RATE, MAX_RATE = 4000, 384000


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
        # libsndfile can't recognise headerless GSM, which has no magic number.
        raw = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
        try:
            with soundfile.SoundFile(stream, **(raw if path.endswith(".gsm") else {})) as file:
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
        if channel >= file.channels:
            raise ValueError(
                f"{uri}: channel {channel} was asked for, but the file has {file.channels}; "
                "fix corpus.channel or the source"
            )
        native, start = file.samplerate, round(offset * file.samplerate)
        length = round(duration * native)
        if file.seekable() and start:
            file.seek(min(start, file.frames))
        samples = file.read(length, dtype="float32", always_2d=True)[:, channel]
    if len(samples) < length - TOLERANCE_SECONDS * native or len(samples) == 0:
        raise ValueError(
            f"{uri}: {duration:.2f} s from {offset:.2f} s were asked for, but only {len(samples) / native:.2f} s "
            "are there; the file is truncated or its times are wrong"
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"{uri}: the audio holds NaN or infinite samples; convert it again from its original")
    if native != sample_rate:
        samples = soxr.resample(samples, native, sample_rate, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)
