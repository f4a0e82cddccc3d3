"""Reads the phones of a CTM file: lines `utterance channel start duration phone`, in seconds."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from ssl_asr.hmm.phone_times import MOST_FRAMES_OFF, PhoneTimes, Rest, joined_silences, known_phone
from ssl_asr.lang.phones import PHONE_IDS, SILENCE

_SILENCE = PHONE_IDS[SILENCE]
_ROUNDED = 2  # a gap of so many frames comes from rounded times: it belongs to the phone before it


@dataclass(frozen=True)
class Spoken:
    """A phone and its 10 ms frames."""

    phone: int
    begin: int
    end: int


def read_ctm(path: Path) -> Iterator[tuple[str, PhoneTimes]]:
    """Utterances and their phones; ValueError naming the line that can't be read.

    Gaps are silence. Where the file lists no silence at all, the audio behind the last phone is silence too.
    """
    spoken: dict[str, list[Spoken]] = {}
    for number, line in enumerate(_lines(path), 1):
        if line.strip() and not line.startswith(";;"):
            name, phone = _phone(line, f"line {number} of {path}")
            spoken.setdefault(name, []).append(phone)
    silent = any(each.phone == _SILENCE for phones in spoken.values() for each in phones)
    for name, phones in spoken.items():
        yield (
            name,
            _times(sorted(phones, key=attrgetter("begin", "end")), name, path, "last" if silent else "silence"),
        )


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    except (EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read ({error}); copy it again") from error


def _phone(line: str, where: str) -> tuple[str, Spoken]:
    try:
        name, _, start, duration, symbol, *_confidence = line.split()
        begin, end = _frame(float(start)), _frame(float(start) + float(duration))
    except (OverflowError, ValueError):
        begin = end = -1
    if not 0 <= begin <= end:
        raise ValueError(
            f"{where} is not `utterance channel start duration phone`, but '{line.strip()[:80]}'; fix it"
        )
    return name, Spoken(known_phone(symbol, where), begin, end)


def _frame(seconds: float) -> int:
    """The first frame of 10 ms whose middle is not before this time."""
    return math.ceil(round(seconds * 100 - 0.5, 6))


def _times(phones: Sequence[Spoken], name: str, path: Path, rest: Rest) -> PhoneTimes:
    known, ends, last = list[int](), list[int](), 0
    for each in phones:
        if each.begin < last - MOST_FRAMES_OFF:
            raise ValueError(
                f"{path}: phones of {name} overlap at {each.begin / 100:g} s; give one line a phone, of one channel"
            )
        if known and each.begin - last <= _ROUNDED:
            ends[-1] = max(last, each.begin)
        elif each.begin > last:
            known.append(_SILENCE)
            ends.append(each.begin)
        known.append(each.phone)
        last = max(last, each.end)
        ends.append(last)
    return joined_silences(known, ends, rest)
