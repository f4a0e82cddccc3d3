"""A bundle: the directory that holds a recogniser. Whoever made it, it is read as files of a stranger.

A file is used after its size and its SHA-256 have been compared with `bundle.json`, and after its content has been
checked: a checksum says that a file is whole, not that it is harmless. Nothing is unpickled, and no file outside of
the directory is opened.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ssl_asr.lang.language import Language, language_named
from ssl_asr.serving.description import DESCRIPTION, Description, parse_description

MOST_DESCRIPTION = 16_000_000  # bytes


DescriptionT = TypeVar("DescriptionT", bound=Description, covariant=True)


@dataclass(frozen=True)
class Bundle(Generic[DescriptionT]):
    """`description` has been checked, the files are when they are read."""

    folder: Path
    description: DescriptionT

    @property
    def language(self) -> Language:
        return language_named(self.description.language)

    def path(self, name: str) -> Path:
        return self.folder / name

    def read(self, name: str) -> bytes:
        """The file of this name, checked; ValueError in one sentence if it is not as `bundle.json` says."""
        expected = self.description.files[name]
        data = _read_plain(self.folder, name, expected.bytes)
        if len(data) != expected.bytes:
            raise ValueError(
                f"{self.path(name)} does not have the {expected.bytes} bytes that {DESCRIPTION} says; "
                "copy or export the bundle again"
            )
        if hashlib.sha256(data).hexdigest() != expected.sha256:
            raise ValueError(
                f"{self.path(name)} is damaged or was swapped: its SHA-256 is not that of {DESCRIPTION}; "
                "copy or export the bundle again"
            )
        return data

    def verify(self) -> None:
        """Read every file; ValueError naming the first bad one."""
        for name in self.description.files:
            self.read(name)


def open_bundle(folder: str | Path) -> Bundle[Description]:
    """ValueError in one sentence if there is no bundle, or none that this version can read."""
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise ValueError(f"{place} is a file and no bundle; name the folder that `ssl-asr export RUN -o DIR` makes")
    if not place.is_dir():
        raise ValueError(f"there is no bundle at {place}; make one with `ssl-asr export RUN -o {place}`")
    if not (place / DESCRIPTION).exists():
        raise ValueError(f"{place} is no bundle, {DESCRIPTION} is missing; make one with `ssl-asr export`")
    data = _read_plain(place, DESCRIPTION, MOST_DESCRIPTION)
    if len(data) > MOST_DESCRIPTION:
        raise ValueError(f"{place / DESCRIPTION} is larger than {MOST_DESCRIPTION} bytes, so it is no description")
    return Bundle(place, parse_description(data, str(place / DESCRIPTION)))


def read_text(bundle: Bundle[Description], name: str) -> str:
    """The file of this name as `Bundle.read`, which must be UTF-8."""
    try:
        return bundle.read(name).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{bundle.path(name)} is no UTF-8 text; export the bundle again") from None


def read_numbered(bundle: Bundle[Description], name: str, first: str) -> tuple[str, ...]:
    """Names with the numbers 0, 1, ..., a line each, 0 alone is `first`; ValueError naming the first bad line.

    They go to terminals, so none may hold what controls one.
    """
    lines = read_text(bundle, name).splitlines()
    for number, line in enumerate(lines):
        word, _, identity = line.rpartition(" ")
        if (
            not word.isprintable()
            or word.split() != [word]
            or identity != str(number)
            or (number == 0) != (word == first)
        ):
            raise ValueError(
                f"{bundle.path(name)}, line {number + 1}: {line[:50]!r} is not a word and the number {number}; "
                "export the bundle again"
            )
    return tuple(line.split()[0] for line in lines)


def _read_plain(folder: Path, name: str, most: int) -> bytes:
    """At most one byte more than `most` of a regular file that lies in `folder` itself."""
    path = folder / name
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind) and path.resolve().parent != folder.resolve():
            raise ValueError(f"{path} is a link that leads out of the bundle; copy the file itself (cp -rL)")
        if not path.is_file():
            raise ValueError(f"{path} is missing or not a file; copy or export the bundle again")
        with path.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise ValueError(f"{path} can't be read ({error.strerror}); copy or export the bundle again") from None
