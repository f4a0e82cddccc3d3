"""The tables of a Kaldi data directory: lines `key value`, one for each key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from ssl_asr.corpus.readers.entries import WHOLE, Part
from ssl_asr.corpus.readers.lines import read_lines

SPACE = " \t\r\f\v"  # as Kaldi splits; other characters that Python takes for white space belong to a text


@dataclass(frozen=True)
class Table:
    """`values` by key, in the file's order; `clashes` has a sentence for each key that has two values."""

    values: Mapping[str, str] = field(default_factory=dict)
    clashes: Mapping[str, str] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        """None without the key; ValueError if it has two values."""
        if key in self.clashes:
            raise ValueError(self.clashes[key])
        return self.values.get(key)


def read_table(file: str, part: Part = WHOLE, wanted: Callable[[str], bool] = lambda key: True) -> Table:
    """The table of `file`, or the lines that begin in the bytes `part`; of these the keys that are `wanted`.

    A line that comes twice counts once. ValueError naming file and line if it can't be read.
    """
    values: dict[str, str] = {}
    others: dict[str, tuple[int, str]] = {}  # the first line of a key that gives it another value
    for number, key, value in _entries(file, part):
        if wanted(key) and values.setdefault(key, value) != value:
            others.setdefault(key, (number, value))
    first: dict[str, int] = {}
    for number, key, _ in _entries(file, part) if others else ():
        if key in others:
            first.setdefault(key, number)
    name = f"{file} from byte {part[0]}" if part[0] else file
    clashes = {
        key: f"{name}: lines {first[key]} and {number} give {key} different values, {_shown(values[key])} and "
        f"{_shown(value)}; remove one of them"
        for key, (number, value) in others.items()
    }
    return Table(values, clashes)


def _entries(file: str, part: Part) -> Iterator[tuple[int, str, str]]:
    """Number, key and value of each line."""
    for number, line in read_lines(file, *part):
        yield number, *split_key(line)


def split_key(line: str) -> tuple[str, str]:
    """A line's first field and the rest, divided by ASCII white space."""
    key, *value = re.split(r"\s+", line.strip(SPACE), maxsplit=1, flags=re.ASCII)
    return key, "".join(value)


def split_fields(value: str) -> list[str]:
    return re.findall(r"\S+", value, flags=re.ASCII)


def check_ids_meet(file: str, ids: Collection[str], other: str, known: Mapping[str, str]) -> None:
    """ValueError with an example of both if none of the `ids` of `file` is among those of `other`."""
    if ids and known and known.keys().isdisjoint(ids):
        name, other_name = (each.rpartition("/")[2] for each in (file, other))
        raise ValueError(
            f"{file} and {other} have no id in common: {name} has {min(ids)!r}, {other_name} has "
            f"{min(known)!r}; write ids alike in both, with the same prefix and case"
        )


def _shown(value: str) -> str:
    return repr(value if len(value) <= 50 else f"{value[:50]}...")
