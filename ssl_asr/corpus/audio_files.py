"""Opens audio files of any store with libsndfile, and tells what is wrong with them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import soundfile

from ssl_asr.corpus.audio_places import file_of, open_place
from ssl_asr.corpus.file_part import FilePart
from ssl_asr.corpus.mp3 import Mp3, count_frames, mp3_of
from ssl_asr.corpus.paged_file import PagedFile
from ssl_asr.corpus.truncation import truncation, unknown_length
from ssl_asr.store import filesystem
from ssl_asr.store.retry import retried

MIN_RATE, MAX_RATE = 4000, 384000
_ENDLESS_BYTES = 1 << 40
_BLOCK_FRAMES = 1 << 18
_MP3_LEAD = 10 * 1152  # frames of MP3 use bits of up to nine frames before them
_UNKNOWN_FRAMES = 1 << 62  # more than this: libsndfile does not know


class UnreachableAudio(ValueError):
    """A store is at fault and perhaps not the audio: whoever keeps what is wrong with audio must not keep this."""


class AudioFile(soundfile.SoundFile):
    """An audio file that is read from its beginning, or from some place, to its end."""

    def __init__(self, source: _Source, **raw: Any) -> None:
        super().__init__(source, **raw)
        self._source = source

    def seekable(self) -> bool:
        """SoundFile seeks to where it is after each read; MP3's decoder loses its state by it, and complains."""
        return False

    def skip(self, frames: int) -> None:
        if frames and super().seekable():
            before = _MP3_LEAD if self.format == "MP3" else 0
            place = max(0, min(frames, self.frames) - before)
            self.seek(place)
            frames = frames - place if before else 0
        while frames and (read := len(self.read(min(frames, _BLOCK_FRAMES), dtype="int16"))):
            frames -= read

    @property
    def told_frames(self) -> int | None:
        """Samples of a channel by the header; None where it does not know, or often is wrong."""
        return None if self.format == "MP3" or self.frames >= _UNKNOWN_FRAMES else self.frames

    def count_frames(self) -> int:
        """Samples of a channel, where need be by reading to the end. Nothing can be read after it."""
        if self.told_frames is not None:
            return self.told_frames
        mp3 = self._source.mp3
        counted = self._source.count_mp3_frames()
        if mp3 is None or counted is None:
            return self._decoded_frames()
        if mp3.told is None:
            return counted * mp3.frame_samples
        # A first frame that tells how many follow also tells what the encoder has added at both ends.
        return self.frames if mp3.told == counted - 1 else self._decoded_frames()

    def _decoded_frames(self) -> int:
        count = 0
        while block := len(self.read(_BLOCK_FRAMES, dtype="int16")):
            count += block
        return count


@contextmanager
def opened(uri: str, *, pipes: bool = False) -> Iterator[AudioFile]:
    """Opens `uri` (see `audio_places`) with libsndfile; ValueError with one sentence if that fails.

    `UnreachableAudio` where a store does not answer for a while.
    """
    try:
        stream = _stream(uri, pipes)
    except OSError as error:
        if filesystem.is_unreachable(error):
            why = " ".join(str(error).split())
            raise UnreachableAudio(
                f"{uri}: its store does not answer ({why}); correct the path, or give the same command again later"
            ) from error
        raise ValueError(f"{uri}: the audio file is missing or unreadable; correct its path in the source") from error
    with stream:
        # Bare GSM has no header, so that libsndfile can't recognise it.
        gsm = file_of(uri) == uri and uri.endswith(".gsm")
        if stream.size() == 0:
            raise ValueError(f"{uri}: the audio file is empty; fetch or record it again")
        source = _source(uri, stream, gsm=gsm)
        raw = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
        try:
            with AudioFile(source, **(raw if gsm else {})) as file:
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


@retried
def _stream(uri: str, pipes: bool) -> pa.NativeFile | FilePart:
    return open_place(uri, pipes=pipes)


def _source(uri: str, stream: Any, *, gsm: bool) -> _Source:
    """The file as libsndfile is to read it; ValueError if it was cut short."""
    file = PagedFile(stream, stream.size())
    if found := truncation(file, file.size, gsm=gsm):
        raise ValueError(f"{uri}: the {_kind(uri)}file is truncated, {found}; fetch or record it again")
    if gsm:
        file.seek(0)
        return _Source(file, None)
    patch = unknown_length(file, file.size)
    mp3 = None if patch else mp3_of(file)
    file.mend(patch)
    return _Source(file, mp3)


class _Source:
    """A file as libsndfile calls it, which takes an error for the end of the file: the first one is kept.

    An MP3 of variable rate may have no header with its length. libsndfile then guesses it from the size of the file
    and of its first frame, and reads no further. An `endless` source says that it is too large for that.
    """

    def __init__(self, file: PagedFile, mp3: Mp3 | None) -> None:
        self.file, self.mp3 = file, mp3
        self._begin = 0 if mp3 is None else mp3.begin
        self._endless = mp3 is not None and mp3.told is None
        self._beyond: int | None = None
        self._error: OSError | None = None
        self.seek(0)

    def count_mp3_frames(self) -> int | None:
        """None where they can't be counted without decoding. What libsndfile reads next is as before."""
        place = self.file.tell()
        counted = None if self.mp3 is None else count_frames(self.file, self.mp3.begin, self.file.size)
        self.file.seek(place)
        return counted

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
            return self.file.readinto(buffer)
        except OSError as error:
            self._error = self._error or error
            return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._endless and whence == io.SEEK_END:
            self._beyond = _ENDLESS_BYTES + offset
            return self._beyond
        self._beyond = None
        return self.file.seek(offset + (self._begin if whence == io.SEEK_SET else 0), whence) - self._begin

    def tell(self) -> int:
        return self.file.tell() - self._begin if self._beyond is None else self._beyond


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
