"""Speech of the adventure game Drascula (1996), from Debian's package of that name.

Clips are headerless 8-bit unsigned mono PCM at 11,025 Hz, `<letters><number>.ALS`. Texts are in `drascula.dat` (as
read by ScummVM's engine "drascula"): big-endian tables, one after another, each a count and then, for each of six
languages, a block with its length in front; the letters name the table and the number the text in it. English is the
first language, all in capitals.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

FOLDER = "usr/share/scummvm/drascula/en"
RATE = 11025
_LANGUAGES = 6
# The tables in their order in the file, and the character that speaks each ("" is the hero's); None: not spoken.
_TABLES: dict[str, str | None] = {
    "": "john",
    "D": "drascula",
    "B": "drunk",
    "BJ": "bj",
    "E": "werewolf",
    "I": "igor",
    "L": "voice",
    "P": "pianist",
    "T": "bartender",
    "VB": "vonbraun",
}
HERO = "john"


@dataclass(frozen=True)
class DrasculaLine:
    """One spoken line: the clip's file, who speaks and the written text."""

    clip: Path
    speaker: str
    text: str


def read_lines(package: Path) -> list[DrasculaLine]:
    """Every clip of the package that has a text; ValueError if drascula.dat has no text tables."""
    folder = package / FOLDER
    tables = _tables((folder / "drascula.dat").read_bytes())
    found = []
    for clip in sorted(folder.glob("*.ALS")):
        match = re.fullmatch(r"([A-Z]*)(\d+)", clip.stem)
        if not match or match[1] not in tables:
            continue
        texts, number = tables[match[1]], int(match[2])
        text = texts[number].strip() if number < len(texts) else ""
        speaker = _TABLES[match[1]]
        if text and speaker:
            found.append(DrasculaLine(clip, speaker, text))
    return found


def _tables(data: bytes) -> dict[str, list[str]]:
    at = _first_table(data)
    tables = {}
    for name in _TABLES:
        tables[name], at = _table(data, at)
    return tables


def _first_table(data: bytes) -> int:
    """Where the texts start: the only place with six languages of some hundreds of texts, mostly plain English."""
    for at in range(len(data) - 4):
        languages, count = struct.unpack_from(">HH", data, at)
        if languages == _LANGUAGES and 300 < count < 700:
            try:
                texts, end = _table(data, at + 2)
            except (struct.error, UnicodeDecodeError):
                continue
            english = sum(len(text) > 8 and text.isascii() for text in texts)
            if end < len(data) and english > 0.6 * len(texts):
                return at + 2
    raise ValueError("drascula.dat holds no table of texts; the package's layout has changed")


def _table(data: bytes, at: int) -> tuple[list[str], int]:
    """The English texts of the table at `at`, and where the next table starts."""
    count, at = struct.unpack_from(">H", data, at)[0], at + 2
    english: list[str] = []
    for language in range(_LANGUAGES):
        size = struct.unpack_from(">H", data, at)[0]
        block = data[at + 2 : at + 2 + size]
        at += 2 + size
        if language:
            continue
        start = 4  # after the block's own header and the first text's length
        for _ in range(count):
            english.append(block[start : block.find(b"\0", start)].decode("cp850"))
            # Every text is preceded by its length, which counts itself.
            if start <= len(block):
                start += struct.unpack_from(">H", block, start - 2)[0]
    return english, at
