"""Commands in wav.scp that do no more than decode one file, so that the file can be read in their place.

    utt1 flac -c -d -s /data/utt1.flac |
    sw02001-A sph2pipe -f wav -p -c 1 /data/sw02001.sph |

Samples are the same as the command's, to the 16 bits that these programs write.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_SHELL = frozenset("|&;<>()$`\\*?[]{}#~!\n")
_FLAC_OPTIONS = ("--decode", "--stdout", "--silent", "--totally-silent")
_SOX_TYPES = ("wav", "flac", "sph", "mp3", "ogg", "vorbis", "aiff", "au")
_SOX_OUTPUT = {"-b": ("16",), "-e": ("signed-integer", "signed"), "-t": ("wav", "wavpcm")}
_FFMPEG_FLAGS = ("-nostdin", "-hide_banner", "-nostats", "-y", "-vn")
_FFMPEG_OPTIONS = {"-loglevel": r"\w+", "-v": r"\w+", "-f": "wav", **dict.fromkeys(("-acodec", "-c:a"), "pcm_s16le")}


@dataclass(frozen=True)
class PlainPipe:
    """A command that writes the samples of `file`: of the one `channel`, from 0 on, or of all where it is None."""

    program: str
    file: str
    channel: int | None = None


def plain_pipe(command: str) -> PlainPipe | None:
    """None if the command does anything else, such as resampling, mixing or cutting, or has options unknown here."""
    if not _SHELL.isdisjoint(command):
        return None
    try:
        name, *words = shlex.split(command)
    except ValueError:
        return None
    program = PurePosixPath(name).name
    return _PROGRAMS[program](words) if program in _PROGRAMS else None


def _cat(words: Sequence[str]) -> PlainPipe | None:
    return PlainPipe("cat", words[0]) if len(words) == 1 and not words[0].startswith("-") else None


def _flac(words: Sequence[str]) -> PlainPipe | None:
    """flac -c -d [-s] FILE, in any order."""
    files = [word for word in words if not word.startswith("-")]
    known = all(word in _FLAC_OPTIONS or re.fullmatch("-[cds]+", word) for word in words if word.startswith("-"))
    short = "".join(word for word in words if re.fullmatch("-[cds]+", word))
    decodes = ("d" in short or "--decode" in words) and ("c" in short or "--stdout" in words)
    return PlainPipe("flac", files[0]) if known and decodes and len(files) == 1 else None


def _sox(words: Sequence[str]) -> PlainPipe | None:
    """sox [-V1] [-t TYPE] FILE [-b 16] [-e signed-integer] -t wav - [remix CHANNEL]."""
    rest = [word for word in words if not re.fullmatch(r"-V\d?", word)]
    if rest[:1] == ["-t"] and rest[1:2] and rest[1] in _SOX_TYPES:
        rest = rest[2:]
    if not rest or rest[0].startswith("-") or "-" not in rest[1:]:
        return None
    end = rest.index("-", 1)
    options, effects = rest[1:end], rest[end + 1 :]
    if len(options) % 2 or any(value not in _SOX_OUTPUT.get(key, ()) for key, value in _pairs(options)):
        return None
    if "-t" not in options[::2]:
        return None
    if not effects:
        return PlainPipe("sox", rest[0])
    if len(effects) == 2 and effects[0] == "remix" and re.fullmatch("[1-9]", effects[1]):
        return PlainPipe("sox", rest[0], int(effects[1]) - 1)
    return None


def _ffmpeg(words: Sequence[str]) -> PlainPipe | None:
    """ffmpeg [-nostdin] [-loglevel LEVEL] -i FILE [-acodec pcm_s16le] -f wav -."""
    rest = [word for word in words if word not in _FFMPEG_FLAGS]
    if len(rest) < 5 or len(rest) % 2 == 0 or rest[-1] not in ("-", "pipe:1", "pipe:"):
        return None
    files = []
    for key, value in _pairs(rest[:-1]):
        if key == "-i" and not value.startswith("-") and ":" not in value:
            files.append(value)
        elif not re.fullmatch(_FFMPEG_OPTIONS.get(key, "(?!)"), value):
            return None
    written = dict(_pairs(rest[:-1][rest.index("-i") + 2 :])) if len(files) == 1 else {}
    return PlainPipe("ffmpeg", files[0]) if "-f" in written else None


def _sph2pipe(words: Sequence[str]) -> PlainPipe | None:
    """sph2pipe -f wav [-p] [-c 1 or 2] FILE."""
    rest = [word for word in words if word != "-p"]
    if len(rest) % 2 == 0 or not rest or rest[-1].startswith("-"):
        return None
    options = dict(_pairs(rest[:-1]))
    if options.pop("-f", "") not in ("wav", "rif"):
        return None
    channel = options.pop("-c", None)
    if options or channel not in (None, "1", "2"):
        return None
    return PlainPipe("sph2pipe", rest[-1], None if channel is None else int(channel) - 1)


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


_PROGRAMS: dict[str, Callable[[Sequence[str]], PlainPipe | None]] = {
    "cat": _cat,
    "flac": _flac,
    "sox": _sox,
    "ffmpeg": _ffmpeg,
    "sph2pipe": _sph2pipe,
}
