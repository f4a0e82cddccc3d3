"""Which files hold another recogniser's words, and what tells them from others.

A run goes on where they are not, once their words are in the run.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ssl_asr.corpus.list_states import MOST_COMPARED
from ssl_asr.corpus.pieces import PACKED_RATIO
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.large_files import file_checksum
from ssl_asr.store.layout import outside_hypotheses_uri
from ssl_asr.store.patterns import FoundFile, matching

KEY = "hypotheses.teacher"
_DIGITS = 12


@dataclass(frozen=True)
class OutsideSource:
    """The recipe's `ctm:FILE` or `jsonl:FILE`, where FILE may be a pattern, and the files that are there."""

    name: str
    files: tuple[FoundFile, ...]

    @classmethod
    def of(cls, recipe: Recipe) -> OutsideSource:
        """ValueError where folders alone are named, or some of the files that braces stand for are missing."""
        name = str(recipe.hypotheses.teacher)
        found = matching(_place(name))
        files = tuple(each for each in found if isinstance(each, FoundFile))
        if found and not files:
            raise ValueError(f"{KEY}={name} names a folder; name its files, such as {name.rstrip('/')}/*")
        return cls(name, files)

    @property
    def kind(self) -> str:
        """ "ctm" or "jsonl"."""
        return self.name.partition(":")[0]

    @property
    def stamp(self) -> str:
        """Another where a file is."""
        return digest([f"{_file_name(file)} {file.stamp}" for file in self.files])

    @property
    def listed_bytes(self) -> int:
        """About how many they are unpacked."""
        return sum(file.size * (PACKED_RATIO if file.uri.endswith(".gz") else 1) for file in self.files)

    @property
    def is_large(self) -> bool:
        """Whether they are compared by size and time, as lists of a corpus are."""
        return sum(file.size for file in self.files) > MOST_COMPARED


def outside_content(recipe: Recipe) -> str:
    """12 digits that tell the files' content; ValueError where there are none and their words are not in the run."""
    source = OutsideSource.of(recipe)
    noted = _noted(recipe) if source.is_large or not source.files else {}
    is_noted = noted.get("source") == source.name
    if not source.files and is_noted:
        return str(noted["content"])
    if not source.files:
        raise missing(source)
    if not source.is_large:
        return _content(source.files)
    if is_noted and noted.get("stamp") == source.stamp:
        return str(noted["content"])
    # A run of an earlier version has a hash of all bytes, and no stamp. It keeps its words.
    if is_noted and "stamp" not in noted and _content(source.files) == noted["content"]:
        return str(noted["content"])
    return source.stamp[:_DIGITS]


def missing(source: OutsideSource) -> ValueError:
    return ValueError(f"{KEY}={source.name}: there is no {_place(source.name)}; fix the path")


def outside_exists(recipe: Recipe) -> bool:
    try:
        return bool(OutsideSource.of(recipe).files)
    except ValueError:
        return False


def note_outside(run: str, source: OutsideSource, content: str, utterances: int) -> None:
    """Note in the run which files its words come from, and of how many utterances, for when they are elsewhere."""
    noted = {"source": source.name, "content": content, "utterances": utterances, "stamp": source.stamp}
    filesystem.write_if_changed(outside_hypotheses_uri(run), json.dumps(noted, indent=1).encode())


def note_again(recipe: Recipe, content: str) -> None:
    """Where the files are today, if they were read last; a run of an earlier version has not noted their stamp."""
    noted, source = _noted(recipe), OutsideSource.of(recipe)
    if source.files and noted.get("content") == content:
        note_outside(recipe.run, source, content, int(noted["utterances"]))


def noted_utterances(recipe: Recipe, content: str) -> int | None:
    """How many the files of this content have, if it was read last."""
    noted = _noted(recipe)
    return int(noted["utterances"]) if noted.get("content") == content else None


def _noted(recipe: Recipe) -> dict[str, Any]:
    uri = outside_hypotheses_uri(recipe.run)
    if not filesystem.exists(uri):
        return {}
    try:
        return dict(json.loads(filesystem.read_bytes(uri)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{uri} is damaged; delete it and run the hypotheses stage again") from error


def _place(name: str) -> str:
    place = name.partition(":")[2]
    return place if filesystem.is_uri(place) else os.path.abspath(os.path.expanduser(place))


def _file_name(file: FoundFile) -> str:
    return file.uri.rpartition("/")[2]


@lru_cache(maxsize=8)  # it is asked for often
def _content(files: tuple[FoundFile, ...]) -> str:
    """Of one file a hash of its bytes."""
    found = [file_checksum(file.uri) for file in files]
    if len(files) > 1:
        found = [digest([f"{_file_name(file)} {each}" for file, each in zip(files, found, strict=True)])]
    return found[0][:_DIGITS]
