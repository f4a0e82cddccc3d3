"""Opens audio files of any store with libsndfile, and tells what is wrong with them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import soundfile

from ssl_asr.corpus.audio_places import file_of, open_place
from ssl_asr.corpus.mp3 import FIRST_BYTES, begin_of_frames, is_frame, says_length
from ssl_asr.corpus.truncation import truncation

MIN_RATE, MAX_RATE = 4000, 384000
_ENDLESS_BYTES = 1 << 40
_BUFFER_BYTES = 1 << 18  # libsndfile reads a few kilobytes at a time, which would be a request each


class Sequential(soundfile.SoundFile):
    """A file that is read from its beginning to its end."""

    def seekable(self) -> bool:
        """SoundFile seeks to where it is after each read; MP3's decoder loses its state by it, and complains."""
        return False

    def skip(self, frames: int, block_frames: int) -> None:
        if frames and super().seekable():
            self.seek(min(frames, self.frames))
            return
        while frames and (read := len(self.read(min(frames, block_frames)))):
            frames -= read


@contextmanager
def opened(
    uri: str, kind: type[soundfile.SoundFile] = soundfile.SoundFile, *, pipes: bool = False
) -> Iterator[soundfile.SoundFile]:
    """Opens `uri` (see `audio_places`) with libsndfile; ValueError with one sentence if that fails."""
    try:
        stream = open_place(uri, pipes=pipes)
    except OSError as error:
        raise ValueError(f"{uri}: the audio file is missing or unreadable; correct its path in the source") from error
    with stream:
        # Bare GSM has no header, so that libsndfile can't recognise it.
        gsm = file_of(uri) == uri and uri.endswith(".gsm")
        if stream.size() == 0:
            raise ValueError(f"{uri}: the audio file is empty; fetch or record it again")
        _check_whole(uri, stream, gsm=gsm)
        endless = kind is Sequential and _is_mp3_without_length(stream)
        stream.seek(0)
        source = _Source(io.BufferedReader(stream, _BUFFER_BYTES), endless)
        raw = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
        try:
            with kind(source, **(raw if gsm else {})) as file:
                if not MIN_RATE <= file.samplerate <= MAX_RATE:
                    raise ValueError(
                        f"{uri}: the sample rate {file.samplerate} Hz is outside {MIN_RATE}-{MAX_RATE} Hz; "
                        "convert the file or fix its header"
                    )
                yield file
        except soundfile.LibsndfileError as error:
            why = _compression(stream) or f"libsndfile can't read this audio ({error.error_string})"
            raise ValueError(f"{uri}: {why}; convert it to WAV or FLAC") from error
        finally:
            source.check()


def _is_mp3_without_length(stream: Any) -> bool:
    """Whether its first frame, behind tags, holds sound and not the number of frames."""
    stream.seek(0)
    stream.seek(begin_of_frames(stream.read(10)))
    frame = stream.read(FIRST_BYTES)
    return len(frame) == FIRST_BYTES and is_frame(frame) and not says_length(frame)


class _Source:
    """A file as libsndfile calls it, which takes an error for the end of the file: the first one is kept.

    An MP3 of variable rate may have no header with its length. libsndfile then guesses it from the size of the file
    and of its first frame, and reads no further. An `endless` source says that it is too large for that.
    """

    def __init__(self, stream: io.BufferedReader, endless: bool) -> None:
        self._stream, self._endless = stream, endless
        self._beyond: int | None = None
        self._error: OSError | None = None

    def check(self) -> None:
        """OSError if reading failed."""
        if self._error is not None:
            raise self._error

    def readinto(self, buffer: Any) -> int:
        if self._beyond is not None:  # a tag is looked for at the end
            buffer[:] = bytes(len(buffer))
            self._beyond += len(buffer)
            return len(buffer)
        try:
            return self._stream.readinto(buffer)
        except OSError as error:
            self._error = self._error or error
            return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._endless and whence == io.SEEK_END:
            self._beyond = _ENDLESS_BYTES + offset
            return self._beyond
        self._beyond = None
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell() if self._beyond is None else self._beyond


def _check_whole(uri: str, stream: Any, *, gsm: bool) -> None:
    if found := truncation(stream, stream.size(), gsm=gsm):
        raise ValueError(f"{uri}: the {_kind(uri)}file is truncated, {found}; fetch or record it again")


def _compression(stream: Any) -> str | None:
    """What keeps libsndfile from reading a NIST SPHERE file; None if the file is another, or the reason unknown."""
    stream.seek(0)
    head = stream.read(1024)
    if head.startswith(b"NIST_1A") and b"embedded-" in head:
        return "its samples are compressed (shorten or another), which sph2pipe reads and libsndfile doesn't"
    return None


def _kind(uri: str) -> str:
    """ "WAV " of talk.wav, as part of a sentence."""
    ending = PurePosixPath(uri).suffix[1:]
    return f"{ending.upper()} " if ending.isalnum() else "audio "
