"""Opens audio files of any store with libsndfile, and tells what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile

from ssl_asr.corpus.audio_places import file_of, open_place
from ssl_asr.corpus.decoder_input import DecoderInput, FileBytes
from ssl_asr.corpus.file_part import FilePart
from ssl_asr.corpus.paged_file import PagedFile
from ssl_asr.corpus.truncation import truncation, unknown_length
from ssl_asr.store.errors import is_unreachable
from ssl_asr.store.retry import retried

MIN_RATE, MAX_RATE = 4000, 384000
_BLOCK_FRAMES = 1 << 18
_MP3_LEAD = 10 * 1152  # frames of MP3 use bits of up to nine frames before them
_UNKNOWN_FRAMES = 1 << 62  # more than this: libsndfile does not know


class UnreachableAudio(ValueError):
    """A store is at fault and perhaps not the audio: whoever keeps what is wrong with audio must not keep this."""


class AudioFile(soundfile.SoundFile):
    """An audio file that is read from its beginning, or from some place, to its end."""

    def __init__(self, source: DecoderInput, **raw: Any) -> None:
        super().__init__(source, **raw)
        self._source = source
        self._left: float = math.inf  # samples of a channel, where the decoder can't know

    def seekable(self) -> bool:
        """SoundFile seeks to where it is after each read; MP3's decoder loses its state by it, and complains."""
        return False

    def read(self, frames: int, dtype: str = "float64", always_2d: bool = False) -> np.ndarray:
        found: np.ndarray = super().read(int(min(frames, self._left)), dtype=dtype, always_2d=always_2d)
        self._left -= len(found)
        return found

    def skip(self, frames: int) -> None:
        """Pass over so many samples at the beginning."""
        if frames and super().seekable():
            before = _MP3_LEAD if self.format == "MP3" else 0
            place = max(0, min(frames, self.frames) - before)
            left_out = self._source.leave_out_before(place)
            if left_out:
                self._left = self.frames - place
            self.seek(place - left_out)
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


class AudioBytes:
    """The bytes of one audio (see `audio_places`), open until it is closed. Each decoder begins anew.

    ValueError with one sentence if it can't be opened or was cut short; `UnreachableAudio` where a store does not
    answer for a while.
    """

    def __init__(self, uri: str, *, pipes: bool = False) -> None:
        self.uri = uri
        self._stream = _stream(uri, pipes)
        try:
            # Bare GSM has no header, so that libsndfile can't recognise it.
            self._gsm = file_of(uri) == uri and uri.endswith(".gsm")
            self._data = self._checked()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stream.close()

    @contextmanager
    def decoder(self) -> Iterator[AudioFile]:
        """ValueError with one sentence where libsndfile can't read it, also while the block reads."""
        source = DecoderInput(self._data)
        raw = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
        try:
            with AudioFile(source, **(raw if self._gsm else {})) as file:
                if not MIN_RATE <= file.samplerate <= MAX_RATE:
                    raise ValueError(
                        f"{self.uri}: the sample rate {file.samplerate} Hz is outside {MIN_RATE}-{MAX_RATE} Hz; "
                        "convert the file or fix its header"
                    )
                yield file
        except soundfile.LibsndfileError as error:
            why = _compression(self._stream) or f"libsndfile can't read this audio ({error.error_string})"
            raise ValueError(f"{self.uri}: {why}; convert it to WAV or FLAC") from error
        finally:
            source.check()

    def _checked(self) -> FileBytes:
        """The file as libsndfile is to read it."""
        file = PagedFile(self._stream, self._stream.size())
        if not file.size:
            raise ValueError(f"{self.uri}: the audio file is empty; fetch or record it again")
        if found := truncation(file, file.size, gsm=self._gsm):
            raise ValueError(f"{self.uri}: the {_kind(self.uri)}file is truncated, {found}; fetch or record it again")
        patch = None if self._gsm else unknown_length(file, file.size)
        data = FileBytes(file, is_mp3=not (self._gsm or patch))
        file.mend(patch)
        return data


@contextmanager
def opened(uri: str, *, pipes: bool = False) -> Iterator[AudioFile]:
    """Opens `uri` with libsndfile; ValueError as `AudioBytes`."""
    with closing(AudioBytes(uri, pipes=pipes)) as data, data.decoder() as file:
        yield file


def _stream(uri: str, pipes: bool) -> pa.NativeFile | FilePart:
    try:
        return _open(uri, pipes)
    except OSError as error:
        if is_unreachable(error):
            why = " ".join(str(error).split())
            raise UnreachableAudio(
                f"{uri}: its store does not answer ({why}); correct the path, or give the same command again later"
            ) from error
        raise ValueError(f"{uri}: the audio file is missing or unreadable; correct its path in the source") from error


@retried
def _open(uri: str, pipes: bool) -> pa.NativeFile | FilePart:
    return open_place(uri, pipes=pipes)


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
