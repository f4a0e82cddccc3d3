"""A file's bytes as libsndfile asks for them. Frames of an MP3 that are far from what is read can be left out."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ssl_asr.corpus.mp3 import Mp3, count_frames, mp3_of, places_of_frames
from ssl_asr.corpus.paged_file import PagedFile

_ENDLESS_BYTES = 1 << 40
# So many of the first frames are never left out: by them the decoder finds out what the file is. And so many before
# those that are read: a frame may need nine before it, the decoder begins four before where it is sent, and a first
# frame with the encoder's delay shifts all by up to nine.
_FIRST_FRAMES, _FRAMES_BEFORE = 64, 32


class FileBytes:
    """A file with what is known of its frames, if it is an MP3; `mp3_of` is asked where `is_mp3` allows it."""

    def __init__(self, file: PagedFile, *, is_mp3: bool) -> None:
        self.file = file
        self.mp3: Mp3 | None = mp3_of(file) if is_mp3 else None

    @cached_property
    def places(self) -> Sequence[int]:
        """Where each of its MP3 frames begins. The whole file is read for it."""
        return () if self.mp3 is None else places_of_frames(self.file, self.mp3.begin)


class DecoderInput:
    """A file as libsndfile calls it, which takes an error for the end of the file: the first one is kept.

    An MP3 of variable rate may have no header with its length. libsndfile then guesses it from the size of the file
    and of its first frame, and reads no further. An endless source says that it is too large for that.
    """

    def __init__(self, data: FileBytes) -> None:
        self._data, self.mp3 = data, data.mp3
        self._begin = 0 if self.mp3 is None else self.mp3.begin
        self._endless = self.mp3 is not None and self.mp3.told is None
        self._at = 0  # as all places here, from `_begin` on, and without what is left out
        self._left_out = (sys.maxsize, 0)  # from which place on, and how many bytes
        self._beyond: int | None = None
        self._error: OSError | None = None

    def leave_out_before(self, sample: int) -> int:
        """Leave out frames of an MP3 that are well before `sample` of a channel; returns how many samples they hold.

        The decoder reads every frame up to the one that it is sent to: 100,000 of an hour. A frame depends on those
        just before it alone, and so what is decoded is the same to the bit.
        """
        if self.mp3 is None or sample // self.mp3.frame_samples < 2 * (_FIRST_FRAMES + _FRAMES_BEFORE):
            return 0
        places = self._data.places
        last = min(sample // self.mp3.frame_samples - _FRAMES_BEFORE, len(places) - 1)
        if last <= _FIRST_FRAMES or self._at + self._begin > places[_FIRST_FRAMES]:
            return 0
        self._left_out = (places[_FIRST_FRAMES] - self._begin, places[last] - places[_FIRST_FRAMES])
        return (last - _FIRST_FRAMES) * self.mp3.frame_samples

    def count_mp3_frames(self) -> int | None:
        """None where they can't be counted without decoding."""
        file = self._data.file
        return None if self.mp3 is None else count_frames(file, self.mp3.begin, file.size)

    def check(self) -> None:
        """OSError if reading failed."""
        if self._error is not None:
            raise self._error

    def readinto(self, buffer: Any) -> int:
        if self._beyond is not None:  # a tag is looked for at the end
            buffer[:] = bytes(len(buffer))
            self._beyond += len(buffer)
            return len(buffer)
        view = memoryview(buffer)
        place, size = self._left_out
        before = max(0, min(len(view), place - self._at))
        try:
            done = self._read(self._at, view[:before]) if before else 0
            if done == before:
                done += self._read(self._at + done + size, view[before:])
        except OSError as error:
            self._error = self._error or error
            return 0
        self._at += done
        return done

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._endless and whence == io.SEEK_END:
            self._beyond = _ENDLESS_BYTES + offset
            return self._beyond
        self._beyond = None
        size = self._data.file.size - self._begin - self._left_out[1]
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at if self._beyond is None else self._beyond

    def _read(self, place: int, view: memoryview) -> int:
        self._data.file.seek(self._begin + place)
        return self._data.file.readinto(view)
