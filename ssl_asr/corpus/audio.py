"""Reads audio: any format of libsndfile, any rate, one channel, a segment by offset; and measures its length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import soxr

from ssl_asr.corpus.audio_files import AudioBytes, AudioFile, opened
from ssl_asr.corpus.resampling import Resampler

# A header may claim more than the file holds. This much is allowed for a container's rounding.
TOLERANCE_SECONDS = 0.05
_BLOCK_FRAMES = 1 << 16


@dataclass(frozen=True)
class AudioInfo:
    """What a file holds: samples a second, channels, and the length of a channel in seconds."""

    sample_rate: int
    channels: int
    seconds: float


def audio_info(uri: str, *, pipes: bool = False) -> AudioInfo:
    """Rate, channels and length of `uri`; ValueError with one sentence on a missing, empty or unknown file.

    The length is that of the header where it knows it. Frames of an MP3 are counted; a FLAC file of unknown length,
    and an MP3 with something else between its frames, are read to the end. With `pipes` commands are run
    (`audio_places.py`); here and below they are refused without.
    """
    with opened(uri, pipes=pipes) as file:
        return AudioInfo(file.samplerate, file.channels, file.count_frames() / file.samplerate)


def rate_of(uri: str) -> int:
    """The sampling rate by the header, in Hz; ValueError as of `audio_info`."""
    with opened(uri) as file:
        return int(file.samplerate)


def channels_of(uri: str, *, pipes: bool = False) -> int:
    """How many channels a file has, by its header; ValueError as `audio_info`."""
    with opened(uri, pipes=pipes) as file:
        return int(file.channels)


def read_audio(
    uri: str, offset: float, duration: float, channel: int, sample_rate: float, *, pipes: bool = False
) -> npt.NDArray[np.float32]:
    """A segment of one channel, resampled: [samples], nominally in [-1, 1].

    `offset` and `duration` are seconds. ValueError with one sentence on a missing, empty or truncated file, a
    missing channel, an impossible rate, or NaN or infinite samples.
    """
    with SegmentReader(pipes=pipes) as reader:
        return reader.read(uri, offset, duration, channel, sample_rate)


class SegmentReader:
    """Reads segments as `read_audio` does, to the bit. The last audio stays open: the next segment is often its too.

    So a command is run once for neighbours, and the frames of an MP3 are looked for once.
    """

    def __init__(self, *, pipes: bool = False) -> None:
        self._pipes = pipes
        self._data: AudioBytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def read(
        self, uri: str, offset: float, duration: float, channel: int, sample_rate: float
    ) -> npt.NDArray[np.float32]:
        if self._data is None or self._data.uri != uri:
            self._close()
            self._data = AudioBytes(uri, pipes=self._pipes)
        with self._data.decoder() as file:
            return _segment(uri, file, offset, duration, channel, sample_rate)

    def _close(self) -> None:
        if self._data is not None:
            self._data.close()
            self._data = None


def _segment(
    uri: str, file: AudioFile, offset: float, duration: float, channel: int, sample_rate: float
) -> npt.NDArray[np.float32]:
    _check_channel(uri, channel, file)
    native = file.samplerate
    blocks = list(_blocks(uri, file, channel, offset, duration, _BLOCK_FRAMES))
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    _check_length(uri, offset, duration, len(samples) / native)
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
    resampler: Resampler | None = None
    blocks = native_blocks(uri, channel=channel, offset=offset, duration=duration, block_frames=block_frames)
    for native, block in blocks:
        resampler = resampler or Resampler(native, sample_rate)
        yield resampler.add(block)
    if resampler is not None and len(rest := resampler.finish()):
        yield rest


def native_blocks(
    uri: str,
    *,
    channel: int = 0,
    offset: float = 0.0,
    duration: float = math.inf,
    may_lack: float = TOLERANCE_SECONDS,
    block_frames: int = _BLOCK_FRAMES,
    pipes: bool = False,
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The same as it is in the file: samples a second of the file, and a block.

    Of `duration`, the last `may_lack` seconds need not be there.
    """
    with opened(uri, pipes=pipes) as file:
        _check_channel(uri, channel, file)
        native, done = file.samplerate, 0
        for block in _blocks(uri, file, channel, offset, duration, block_frames):
            done += len(block)
            yield native, block
        told = duration if math.isfinite(duration) else _claimed_seconds(file, offset)
        _check_length(uri, offset, told, done / native, may_lack if math.isfinite(duration) else TOLERANCE_SECONDS)


def _blocks(
    uri: str, file: AudioFile, channel: int, offset: float, duration: float, block_frames: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Samples of a channel as they are in the file; never more at once than are there, whatever its header claims."""
    file.skip(round(offset * file.samplerate))
    wanted = math.inf if math.isinf(duration) else round(duration * file.samplerate)
    while wanted > 0:
        block = file.read(int(min(block_frames, wanted)), dtype="float32", always_2d=True)[:, channel]
        if not len(block):
            break
        _check_finite(uri, block)
        wanted -= len(block)
        yield np.ascontiguousarray(block)


def _claimed_seconds(file: AudioFile, offset: float) -> float:
    """What a FLAC file's header says to be there from `offset` on: libsndfile does not miss it. Else infinite."""
    frames = file.told_frames if file.format == "FLAC" else None
    known = frames is not None and offset * file.samplerate < frames
    return file.frames / file.samplerate - offset if known else math.inf


def _check_channel(uri: str, channel: int, file: AudioFile) -> None:
    if channel >= file.channels:
        has = f"{file.channels} channel{'s' if file.channels > 1 else ''}, counted from 0"
        raise ValueError(
            f"{uri}: channel {channel} was asked for, but the file has {has}; choose another one or fix the source"
        )


def _check_length(
    uri: str, offset: float, duration: float, seconds: float, may_lack: float = TOLERANCE_SECONDS
) -> None:
    if seconds == 0 or (math.isfinite(duration) and seconds < duration - may_lack):
        asked = f"{duration:.2f} s from {offset:.2f} s were" if math.isfinite(duration) else "audio was"
        raise ValueError(
            f"{uri}: {asked} asked for, but only {seconds:.2f} s "
            "are there; the file is truncated or its times are wrong"
        )


def _check_finite(uri: str, samples: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(samples).all():
        raise ValueError(f"{uri}: the audio holds NaN or infinite samples; convert it again from its original")
