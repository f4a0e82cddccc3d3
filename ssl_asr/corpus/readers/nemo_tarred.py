"""Reads NeMo's tarred datasets, a folder as NeMo's convert_to_tarred_audio_dataset.py writes it:

    audio_0.tar                        members such as one.flac
    tarred_audio_manifest.json         {"audio_filepath": "one.flac", "duration": 2.5, "text": "yes", "shard_id": 0}
    sharded_manifests/manifest_0.json  the lines of audio_0.tar

The sharded manifests are read if they are there, or else the one of all tars.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ssl_asr.corpus.audio_places import part_of
from ssl_asr.corpus.listed_files import ListedFiles
from ssl_asr.corpus.pieces import Piece, pieces
from ssl_asr.corpus.readers.entries import WHOLE, Part, entries_of, entry_of, name_of, number_of
from ssl_asr.corpus.readers.nemo import IDS, audio_of, path_id, utterance_of
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.tars import Member, read_tar
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.patterns import FoundFile, in_folder, matching_files
from ssl_asr.store.utterance import Utterance

_SHARDED, _WHOLE = "sharded_manifests", "tarred_audio_manifest"
_TAR = re.compile(r"audio[^/]*_(\d+)[^/]*\.tar")
_OF_SHARD = re.compile(r"manifest[^/]*_(\d+)[^/]*\.json[^/]*")
_SUB = re.compile(r"-sub\d+(?=(\.\w+)?$)")  # of the second and further lines of one audio
_UNLISTED = "members of tars have no line in a manifest"
_Entry = tuple[str, dict[str, Any]]  # its place in the manifest, and what it says


def nemo_tarred_pieces(path: str) -> list[Piece]:
    """The manifests of the folder or folders that a path, URI or pattern names; large ones are cut."""
    root = in_folder(path)
    sharded, whole = defaultdict[str, list[FoundFile]](list), defaultdict[str, list[FoundFile]](list)
    for file in matching_files(f"{root}/{_SHARDED}/manifest*_*.json*"):
        sharded[_folder(file.uri)].append(file)
    for file in matching_files(f"{root}/{_WHOLE}*.json*"):
        whole[_folder(file.uri)].append(file)
    found = []
    for folder in sorted({*sharded, *whole}):
        stamps = _tars_in(folder)
        files = sharded.get(folder) or [max(whole[folder], key=_version)]
        numbered = _by_number(stamps)
        for file in files:
            number = _number_of(file.uri)
            mine = [*stamps] if number is None else numbered.get(number, [])
            state = digest([file.stamp, *(f"{name} of {stamps[name]}" for name in mine)])
            # A manifest of all tars is a few pieces, of which each lists them.
            named = None if number is None else ListedFiles(folder, tuple(mine))
            found += [replace(each, state=state, files=named) for each in pieces([file], by_lines=True)]
    return found


def read_nemo_tarred(path: str, channel: int = 0, *, part: Part = WHOLE, tars: Collection[str] = ()) -> Reading:
    """Every line of a manifest, with the audio in the tar of its `shard_id`. ValueError as `read_nemo`, `read_tar`.

    `tars` are the names of those of the manifest's own number, if they are known. Where others are named, or none is
    known, all are listed.

    A line's audio is the member that its `audio_filepath` names, or the one of the same name with another ending, as
    where NeMo has coded it anew. The lines NAME-sub1, NAME-sub2 and so on are further utterances of NAME. Other keys,
    and the id, are as in a NeMo manifest. A line is rejected if its tar or member is not there.
    """
    file = filesystem.absolute(path)
    known = _Tars(_folder(file), tars)
    rejects, by_tar = list[Reject](), defaultdict[str, list[_Entry]](list)
    for place, line in entries_of(file, "NeMo", part):
        try:
            row = entry_of(line)
            by_tar[known.tar_of(file, row)].append((place, row))
        except ValueError as error:
            rejects.append(_reject(file, place, error))
    utterances, counts = list[Utterance](), Counter[str]()
    for tar, entries in sorted(by_tar.items()):
        content = read_tar(tar)
        rejects += content.rejects
        counts.update(content.counts)
        members = _Members(tar, content.members)
        for found in _utterances(file, members, entries, channel):
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                utterances.append(found)
        # The lines of a tar may be in other parts of a manifest of all tars.
        if _number_of(file) is not None and part[0] == 0:
            counts.update({_UNLISTED: members.unused} if members.unused else {})
    return Reading(tuple(utterances), tuple(rejects), dict(counts), files=frozenset(by_tar))


class _Tars:
    """The tars of a folder by number: some `names`, and all of them once another number is asked for."""

    def __init__(self, folder: str, names: Collection[str]) -> None:
        self._folder, self._named, self._is_whole = folder, _by_number(names), False

    def tar_of(self, manifest: str, row: Mapping[str, Any]) -> str:
        """The tar with the audio of an entry."""
        number = number_of(row, "shard_id")
        if number is None:
            number = _number_of(manifest)
        if number is None:
            raise ValueError("it lacks shard_id")
        if number != int(number):
            raise ValueError(f"its shard_id is {number:g}, not a whole number")
        found = self._of(int(number))
        if len(found) != 1:
            raise ValueError(f"{len(found)} tars in {self._folder} are called audio_{number:.0f}.tar, not one")
        return f"{self._folder}/{found[0]}"

    def _of(self, number: int) -> list[str]:
        if number not in self._named and not self._is_whole:
            self._named, self._is_whole = _by_number(_tars_in(self._folder)), True
        return self._named.get(number, [])


def _tars_in(folder: str) -> dict[str, str]:
    """Sorted names of its tars, each with what shows that it has changed."""
    found = sorted(filesystem.sizes_and_times(folder).items())
    return {name: f"{size} bytes of {modified}" for name, (size, modified) in found if _TAR.fullmatch(name)}


def _by_number(names: Iterable[str]) -> dict[int, list[str]]:
    found = defaultdict[int, list[str]](list)
    for name in names:
        if number := _TAR.fullmatch(name):
            found[int(number[1])].append(name)
    return dict(found)


def _number_of(manifest: str) -> int | None:
    """Of the tar whose lines a manifest has; None where these are the lines of all."""
    number = _OF_SHARD.fullmatch(_base(manifest))
    return int(number[1]) if number else None


class _Members:
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


def _utterances(file: str, members: _Members, entries: list[_Entry], channel: int) -> Iterator[Utterance | Reject]:
    for place, row in entries:
        try:
            audio = audio_of(row)
            name = name_of(row, *IDS) or path_id(row, audio, "")
            yield utterance_of(row, name, members.audio_of(audio), channel)
        except ValueError as error:
            yield _reject(file, place, error)


def _reject(file: str, place: str, error: ValueError) -> Reject:
    return Reject(place, f"{file} {place} is no entry of a tarred NeMo dataset ({error}); fix it")


def _folder(manifest: str) -> str:
    """The folder with the tars of a manifest."""
    folder = manifest.rpartition("/")[0]
    return folder.removesuffix(f"/{_SHARDED}")


def _version(manifest: FoundFile) -> tuple[int, str]:
    """NeMo writes tarred_audio_manifest_version_1.json, with all lines, where it adds to a dataset."""
    number = re.search(r"_version_(\d+)", _base(manifest.uri))
    return (int(number[1]) if number else 0, manifest.uri)


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(name: str) -> str:
    return os.path.splitext(_base(name))[0]
