"""Reads the phones of a CTM file: lines `utterance channel start duration phone`, in seconds."""

from __future__ import annotations

import gzip
import math
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ssl_asr.hmm.phone_times import (
    MOST_FRAMES_OFF,
    PhoneTimes,
    Rest,
    Unusable,
    is_silence,
    joined_silences,
    known_phone,
)
from ssl_asr.lang.phones import SILENCE_ID, PhoneSet

_ROUNDED = 2  # a gap of so many frames comes from rounded times: it belongs to the phone before it
_FIELDS = 5


@dataclass(slots=True)
class _Spoken:
    """The phones of one utterance, in the order of the file, with their 10 ms frames [begin, end)."""

    phones: array[int] = field(default_factory=partial(array, "B"))
    begins: array[int] = field(default_factory=partial(array, "i"))
    ends: array[int] = field(default_factory=partial(array, "i"))
    silent_until: int = -1  # where the last silence ends
    unusable: Unusable | None = None

    def add(self, fields: list[str], phones: PhoneSet, where: str) -> None:
        """A line. One that makes no sense spoils the whole utterance."""
        start, duration, symbol = fields[2:_FIELDS]
        try:
            begin, end = _frame(float(start)), _frame(float(start) + float(duration))
        except (OverflowError, ValueError):
            begin = end = -1
        phone = _known_phone(symbol, phones)
        if not 0 <= begin <= end < 2**31:
            phone = Unusable("unreadable", f"{where} has the start {start} and the duration {duration}; fix it")
        if isinstance(phone, Unusable):
            self.unusable = self.unusable or phone
            return
        self.phones.append(phone)
        self.begins.append(begin)
        self.ends.append(end)
        if is_silence(symbol):
            self.silent_until = max(self.silent_until, end)

    @property
    def ends_in_silence(self) -> bool:
        return bool(self.ends) and self.silent_until == max(self.ends)


_known_phone = lru_cache(maxsize=1024)(known_phone)


def read_ctm(path: Path, phones: PhoneSet) -> Iterator[tuple[str, PhoneTimes | Unusable]]:
    """Utterances and their phones; ValueError naming the file if it can't be read, or a line that is none of a CTM.

    Gaps are silence. Where no utterance of the file ends in silence, it does not list silence at the end, and the
    audio behind the last phone is silence too.
    """
    spoken: dict[str, _Spoken] = {}
    for number, line in enumerate(_lines(path), 1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        where = f"line {number} of {path}"
        if len(fields) < _FIELDS:
            raise ValueError(
                f"{where} is not `utterance channel start duration phone`, but '{line.strip()[:80]}'; fix it"
            )
        spoken.setdefault(fields[0], _Spoken()).add(fields, phones, where)
    rest: Rest = "last" if any(each.ends_in_silence for each in spoken.values()) else "silence"
    for name, each in spoken.items():
        yield name, each.unusable or _times(each, rest)


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except (EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read ({error}); copy it again") from error


def _frame(seconds: float) -> int:
    """The first frame of 10 ms whose middle is not before this time."""
    return math.ceil(round(seconds * 100 - 0.5, 6))


def _times(spoken: _Spoken, rest: Rest) -> PhoneTimes | Unusable:
    known, ends, last = list[int](), list[int](), 0
    for place in np.lexsort((spoken.ends, spoken.begins)).tolist():
        begin = spoken.begins[place]
        if begin < last - MOST_FRAMES_OFF:
            return Unusable(
                "unreadable",
                f"its phones in the imported alignment overlap at {begin / 100:g} s; give one line a phone, of one "
                "channel",
            )
        if known and begin - last <= _ROUNDED:
            ends[-1] = max(last, begin)
        elif begin > last:
            known.append(SILENCE_ID)
            ends.append(begin)
        known.append(spoken.phones[place])
        last = max(last, spoken.ends[place])
        ends.append(last)
    return joined_silences(known, ends, rest)
