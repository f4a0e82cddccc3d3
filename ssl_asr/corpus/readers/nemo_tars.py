"""The tars of a folder of NeMo's tarred datasets, by number, and the audio in one of them, by name."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ssl_asr.corpus.audio_places import part_of
from ssl_asr.corpus.readers.entries import number_of
from ssl_asr.corpus.readers.tars import Member
from ssl_asr.store import filesystem

_TAR = re.compile(r"audio[^/]*_(\d+)[^/]*\.tar")
_SUB = re.compile(r"-sub\d+(?=(\.\w+)?$)")  # of the second and further lines of one audio


class Tars:
    """The tars of a folder by number: some `names`, and all of them once another number is asked for."""

    def __init__(self, folder: str, names: Collection[str]) -> None:
        self._folder, self._named, self._is_whole = folder, by_number(names), False
        self._given = self._named

    def of_manifest(self, number: int | None) -> set[str]:
        """The tar whose lines a manifest with this number has, or all tars for one without."""
        if number is None:
            self._list()
        found = self._named.values() if number is None else [self._of(number)]
        return {f"{self._folder}/{names[0]}" for names in found if len(names) == 1}

    def beside(self, number: int) -> set[str]:
        """Those of other numbers among the `names`."""
        return {f"{self._folder}/{name}" for of, names in self._given.items() if of != number for name in names}

    def tar_of(self, number: float | None, row: Mapping[str, Any]) -> str:
        """The tar with the audio of an entry of a manifest with this number, or without one."""
        named = number_of(row, "shard_id")
        number = number if named is None else named
        if number is None:
            raise ValueError("it lacks shard_id")
        if number != int(number):
            raise ValueError(f"its shard_id is {number:g}, not a whole number")
        found = self._of(int(number))
        if len(found) != 1:
            raise ValueError(f"{len(found)} tars in {self._folder} are called audio_{number:.0f}.tar, not one")
        return f"{self._folder}/{found[0]}"

    def _of(self, number: int) -> list[str]:
        if number not in self._named:
            self._list()
        return self._named.get(number, [])

    def _list(self) -> None:
        if not self._is_whole:
            self._named, self._is_whole = by_number(tars_in(self._folder)), True


def tars_in(folder: str) -> dict[str, str]:
    """Sorted names of its tars, each with what shows that it has changed."""
    found = sorted(filesystem.sizes_and_times(folder).items())
    return {name: f"{size} bytes of {modified}" for name, (size, modified) in found if _TAR.fullmatch(name)}


def by_number(names: Iterable[str]) -> dict[int, list[str]]:
    """Those that are called as a tar."""
    found = defaultdict[int, list[str]](list)
    for name in names:
        if number := _TAR.fullmatch(name):
            found[int(number[1])].append(name)
    return dict(found)


class Members:
    """The audio in a tar by its name."""

    def __init__(self, tar: str, members: tuple[Member, ...]) -> None:
        self._tar = tar
        self._named, self._stems = defaultdict[str, list[Member]](list), defaultdict[str, list[Member]](list)
        self._unused = set(members)
        for member in members:
            self._named[member.name].append(member)
            self._stems[_stem(member.name)].append(member)

    def audio_of(self, name: str) -> str:
        """ValueError if no member is called so, or several are."""
        first = _SUB.sub("", name)
        found = self._named.get(name) or self._named.get(first) or self._stems.get(_stem(name))
        found = found or self._stems.get(_stem(first), [])
        if len(found) != 1:
            raise ValueError(f"{len(found)} members of {self._tar} are called {name}, not one")
        self._unused.discard(found[0])
        return part_of(self._tar, found[0].begin, found[0].size)

    @property
    def unused(self) -> int:
        return len(self._unused)


def _stem(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0]
