"""Speech of the adventure game Flight of the Amazon Queen (1995), from Debian's package of that name.

All data is in one file, `queen.1c`: "QTBL", a version, and from byte 13 a big-endian count and that many entries of
21 bytes (name 12, bundle 1, offset 4, size 4). Spoken clips are MP3 named `<voice>.SB`. Their texts are elsewhere in
the same file, and a voice's name says where (formats as read by ScummVM's engine "queen"):

- `<scene>.DOG`, dialogues: voice = room key (2), sentence id in hex (4), J (Joe, the hero) or P (the other person);
- `<scene>.CUT`, cut scenes: voice = scene padded with "_" to 5, object number (2); the object record says who speaks;
- `QUEEN2.JAS`, Joe's remarks on things: voice = JOE and a line number (4).

A text holds commands like "*24" that part it into segments; the segment's number ends the voice name.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ARCHIVE = "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"
_HEADER = 20  # bytes before the data of a DOG, CUT or JAS file
_TEXT_CODE = "cp437"
_FIRST_RESPONSE = "It doesn't seem to open"  # of 40 stock responses that close QUEEN2.JAS's spoken lines
_RESPONSES = 40
SCENE = "scene-"  # begins the name of the speaker of a cut scene's lines of which nobody knows who says them

# The names that cut scenes give to characters whom the dialogue files abbreviate.
_CHARACTERS = {
    "joe king": "joe",
    "trader bob": "bob",
    "princess azura": "prin",
    "anderson": "and",
    "witch doctor": "witch",
    "zombie woman": "zombie",
    "mary-lou": "lou",
    "secretary": "sec",
    "ferryman": "death",
    "jimmy": "jim",
    "showering amazon": "showeram",
    "wedgewood": "wedge",
    "guard dog": "dog",
}


@dataclass(frozen=True)
class QueenLine:
    """One spoken line: the voice clip's name, who speaks (a character in lower case) and the written text.

    Where it is unknown who speaks in a cut scene, the scene counts as the speaker, with a name that begins with
    `SCENE`. It may be several people.
    """

    voice: str
    speaker: str
    text: str


def read_archive(package: Path) -> dict[str, bytes]:
    """Name to content of everything in the package's `queen.1c`; ValueError if it is another kind of file."""
    archive = (package / _ARCHIVE).read_bytes()
    if archive[:4] != b"QTBL":
        raise ValueError("queen.1c does not start with QTBL; the package's layout has changed")
    found = {}
    for index in range(struct.unpack_from(">H", archive, 13)[0]):
        at = 15 + 21 * index
        name = archive[at : at + 12].split(b"\0")[0].decode("latin-1").strip().upper()
        offset, size = struct.unpack_from(">II", archive, at + 13)
        found[name] = archive[offset : offset + size]
    return found


def lines(files: dict[str, bytes]) -> list[QueenLine]:
    """Every spoken line in the scripts of the game; of several lines for one voice the first is kept."""
    people = _People(files)
    found: dict[str, QueenLine] = {}
    for name, data in files.items():
        stem, _, kind = name.rpartition(".")
        if kind == "DOG":
            spoken = _dialogue(stem, data[_HEADER:])
        elif kind == "CUT":
            spoken = _cut_scene(stem, data[_HEADER:], people)
        else:
            continue
        for prefix, speaker, text in spoken:
            _add(found, prefix, speaker, text)
    for prefix, speaker, text in _remarks(files["QUEEN2.JAS"]):
        _add(found, prefix, speaker, text)
    return list(found.values())


def _add(found: dict[str, QueenLine], prefix: str, speaker: str, text: str) -> None:
    for number, segment in _segments(text):
        voice = f"{prefix.replace(' ', '0')}{number:x}".upper()
        if segment and voice not in found:
            found[voice] = QueenLine(voice, speaker, segment)


def _segments(text: str) -> Iterator[tuple[int, str]]:
    """Parts of `text` between commands: "*" and two characters ("*XY" and 11 more), numbered from 1."""
    for number, part in enumerate(re.split(r"\*XY.{0,11}|\*.{0,2}", text, flags=re.DOTALL), 1):
        yield number, part.strip()


def _string(data: bytes, at: int, align: int = 2) -> tuple[str, int]:
    """A string with its length in front, padded to `align`, and where the next one starts."""
    size, at = data[at], at + 1
    if not size:
        return "", at
    text = data[at : at + size].split(b"\0")[0].decode(_TEXT_CODE)
    return text, (at + size + align - 1) // align * align


def _short(data: bytes, at: int) -> int:
    return int(struct.unpack_from(">h", data, at)[0])


def _dialogue(stem: str, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Lines of a DOG file: Joe's sentences, the other person's, and those at either's entry and exit."""
    levels, key = abs(_short(data, 0)), _short(data, 4)
    joe_lines, person_lines = _short(data, 6), _short(data, 8)
    person_at, _, closing_at = struct.unpack_from(">3H", data, 22)
    joe_at, person = 32 + levels * 96, stem.rstrip("0123456789").lower()
    if _short(data, joe_at + 2) == 0:
        text, _ = _string(data, joe_at + 4)
        if text and text[0] != "0":
            yield f"{key:2d}SSSSJ", "joe", text
    for at, count, suffix, speaker in ((joe_at, joe_lines, "J", "joe"), (person_at, person_lines, "P", person)):
        for _ in range(count):
            identity = _short(data, at + 2) & 0xFFFF
            text, at = _string(data, at + 4, 4)
            if text:
                yield f"{key:2d}{identity:4x}{suffix}", speaker, text
    for suffix, speaker in (("P", person), ("J", "joe")):
        text, closing_at = _string(data, closing_at)
        if text and text[0] != "0":
            yield f"{key:2d}XXXX{suffix}", speaker, text


class _People:
    """Names and kinds of the game's objects, of which people are some."""

    def __init__(self, files: dict[str, bytes]) -> None:
        data = files["QUEEN.JAS"][_HEADER:]
        _, names, objects, descriptions = struct.unpack_from(">4h", data, 0)
        texts = ["", *files["QUEEN2.JAS"].decode(_TEXT_CODE).split("\r\n")[descriptions : descriptions + names]]
        records = [struct.unpack_from(">8h", data, 8 + 16 * index) for index in range(objects)]
        self._names = ["", *(texts[abs(record[0])].strip().lower() for record in records)]
        self._images = [0, *(record[7] for record in records)]

    def is_person(self, number: int) -> bool:
        return number == 0 or (number > 0 and self._images[number] in (-3, -4))

    def character(self, number: int) -> str | None:
        """Who speaks as object `number`; None for captions and things, because then the speaker is unknown."""
        if not self.is_person(number):
            return None
        return "joe" if number == 0 else _CHARACTERS.get(self._names[number], self._names[number])


def _cut_scene(stem: str, data: bytes, people: _People) -> Iterator[tuple[str, str, str]]:
    """Lines of a CUT file, one to each of its object records."""
    count = abs(_short(data, 2))
    speakers = _speakers(data, count, people)
    scene = f"{SCENE}{stem.lower()}"
    _, at = _string(data, struct.unpack_from(">H", data, 8)[0])
    for index in range(count):
        if at >= len(data):
            return
        text, at = _string(data, at)
        if text and text != "*" and text[0] != "#":
            yield f"{stem:_<5}{index + 1:02d}", (speakers[index] if speakers else None) or scene, text


def _speakers(data: bytes, count: int, people: _People) -> list[str | None]:
    """Who speaks at each object record; empty if the records don't end at the place that the header gives."""
    state_at, at, found = struct.unpack_from(">H", data, 6)[0], 12, []
    try:
        for _ in range(count):
            number, animation, execute, copied = (_short(data, at + field) for field in (0, 8, 10, 24))
            at += 34
            at += 2 + 2 * _short(data, at)  # people on stage
            speaks = not animation and people.is_person(number)
            if number >= -1 and copied <= 0 and not speaks and execute:
                while _short(data, at) != -2:  # animation frames
                    at += 20
                at += 2
            found.append(people.character(number))
    except (struct.error, IndexError):
        return []
    return found if at + 2 == state_at else []


def _remarks(data: bytes) -> Iterator[tuple[str, str, str]]:
    """Joe's stock responses from JOE0001, then his descriptions of things from JOE0041."""
    texts = data.decode(_TEXT_CODE).split("\r\n")
    first = next(index for index, text in enumerate(texts) if text.startswith(_FIRST_RESPONSE))
    for index in range(_RESPONSES):
        yield f"JOE{index + 1:04d}", "joe", texts[first + index]
    for index, text in enumerate(texts[:first], 1):
        yield f"JOE{index + _RESPONSES:04d}", "joe", text


def effects(files: dict[str, bytes]) -> dict[str, bytes]:
    """Name to MP3 of every sound effect beside the speech: voices whose names have only S, no J and no P."""
    return {name: data for name, data in files.items() if re.fullmatch(r"\d+[A-Z]?S{3,}\.SB", name)}
