"""Where the bytes of an audio file are: a file of any store, a place in a Kaldi archive, or a command's output.

`talk.wav`, `s3://bucket/talk.flac`; `wav.ark:1234` (a WAV that begins at that byte, as Kaldi's wav-copy lists them);
`pipe:COMMAND`.
"""

from __future__ import annotations

import re

import pyarrow as pa

from ssl_asr.corpus.pipes import is_pipe, output_of
from ssl_asr.store import filesystem

_IN_ARCHIVE = re.compile(r"(.+\.ark):(\d+)")
_RIFF_HEAD = 8
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


def open_place(audio: str, *, pipes: bool) -> pa.NativeFile:
    """The bytes of one audio file. OSError if there is no such file; ValueError if it is no WAV in an archive.

    A command is run only where `pipes` says so, else it is a ValueError: whoever writes a list of audio files must
    not be able to run commands here.
    """
    if is_pipe(audio):
        if not pipes:
            raise ValueError(
                f"{audio}: this is a shell command, which is not run; name an audio file, or set corpus.pipes: true "
                "for a Kaldi directory whose commands you trust"
            )
        return pa.BufferReader(output_of(audio))
    if place := _IN_ARCHIVE.fullmatch(audio):
        return pa.BufferReader(_wav_in_archive(audio, place[1], int(place[2])))
    fs, path = filesystem.resolve(audio)
    return fs.open_input_file(path)


def file_of(audio: str) -> str | None:
    """The file that holds `audio`; None if a command writes it."""
    if is_pipe(audio):
        return None
    place = _IN_ARCHIVE.fullmatch(audio)
    return place[1] if place else audio


def _wav_in_archive(audio: str, archive: str, offset: int) -> bytes:
    """As many bytes from `offset` on as the WAV's header claims, or as there are."""
    fs, path = filesystem.resolve(archive)
    with fs.open_input_file(path) as stream:
        size = stream.size()
        stream.seek(min(offset, size))
        head = stream.read(_RIFF_HEAD)
        claimed = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or claimed in _UNKNOWN_SIZES:
            raise ValueError(
                f"{audio}: no WAV with a length begins at byte {offset} of this archive; write each recording to a "
                "file of its own and list that"
            )
        return bytes(head + stream.read(min(claimed, size - offset - _RIFF_HEAD)))
