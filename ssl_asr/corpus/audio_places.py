"""Where the bytes of an audio file are. An audio is named by one string:

| the string | the bytes |
|---|---|
| `/data/talk.wav`, `s3://bucket/talk.flac` | a file of any store |
| `part:/data/talks.tar:0000000001536+240812` | 240812 bytes of a file from byte 1536 on: a member of a tar |
| `row:/data/talks.parquet:000000017` | the audio in a row, counted from 0, of a Parquet file (`parquet_audio.py`) |
| `/data/wav.ark:1234` | a WAV that begins at that byte, as Kaldi's wav-copy lists them |
| `pipe:COMMAND` | what a command writes |

Readers make all paths absolute, so that none begins with `part:` or `row:`. The name of the file is all that stands
before the last colon, whatever is in it.
"""

from __future__ import annotations

import re

import pyarrow as pa

from ssl_asr.corpus.file_part import FilePart
from ssl_asr.corpus.parquet_audio import audio_of_row
from ssl_asr.corpus.pipes import files_named, is_pipe, output_of
from ssl_asr.store import filesystem

_IN_ARCHIVE = re.compile(r"(.+\.ark):(\d+)")
_PART = re.compile(r"part:(.+):(\d+)\+(\d+)", re.DOTALL)
_ROW = re.compile(r"row:(.+):(\d+)", re.DOTALL)
_PLACE_DIGITS, _ROW_DIGITS = 13, 9  # so that names have the order of the places: up to 10 TB, and 1e9 rows
_RIFF_HEAD = 8
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
# A part up to this size is one request. Of a longer one, which may hold several utterances, pages are read.
AT_ONCE_BYTES = 1 << 20


def part_of(file: str, begin: int, size: int) -> str:
    """The name of the audio that is `size` bytes of `file`, an absolute path or URI, from `begin` on."""
    return f"part:{file}:{begin:0{_PLACE_DIGITS}d}+{size}"


def row_of(file: str, row: int) -> str:
    """The name of the audio in a row of a Parquet file, an absolute path or URI."""
    return f"row:{file}:{row:0{_ROW_DIGITS}d}"


def is_row(audio: str) -> bool:
    """Whether an audio is named as the row of a Parquet file."""
    return _ROW.fullmatch(audio) is not None


def open_place(audio: str, *, pipes: bool) -> pa.NativeFile | FilePart:
    """The bytes of one audio file. OSError if there is no such file; ValueError if it does not hold this audio.

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
    if place := _PART.fullmatch(audio):
        return _open_part(audio, place[1], int(place[2]), int(place[3]))
    if place := _ROW.fullmatch(audio):
        found = audio_of_row(place[1], int(place[2]))
        return _open(found) if isinstance(found, str) else pa.BufferReader(found)
    if place := _IN_ARCHIVE.fullmatch(audio):
        return pa.BufferReader(_wav_in_archive(audio, place[1], int(place[2])))
    return _open(audio)


def file_of(audio: str) -> str | None:
    """The file that holds `audio`; None if a command writes it."""
    if is_pipe(audio):
        return None
    place = _PART.fullmatch(audio) or _ROW.fullmatch(audio) or _IN_ARCHIVE.fullmatch(audio)
    return place[1] if place else audio


def files_behind(audio: str) -> list[str]:
    """Files of which one must change before `audio`, which can't be used, may be of use; some need not exist."""
    file = file_of(audio)
    return files_named(audio) if file is None else [file]


def is_inside(audio: str) -> bool:
    """Whether `audio` is a part of a file that holds others too."""
    return file_of(audio) not in (None, audio)


def _open(file: str) -> pa.NativeFile:
    fs, path = filesystem.resolve(file)
    return fs.open_input_file(path)


def _open_part(audio: str, file: str, begin: int, size: int) -> pa.NativeFile | FilePart:
    stream = _open(file)
    part, end = FilePart(stream, begin, size), stream.size()
    if AT_ONCE_BYTES < size <= end - begin:
        return part
    with part:
        if size > end - begin:
            raise ValueError(
                f"{audio}: the file ends at byte {end}, before this audio does; fetch {file} again, or run the "
                "corpus stage again if it has changed"
            )
        return pa.BufferReader(part.read(size))


def _wav_in_archive(audio: str, archive: str, offset: int) -> bytes:
    """As many bytes from `offset` on as the WAV's header claims, or as there are."""
    with _open(archive) as stream:
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
