"""Reads NeMo's tarred datasets, a folder as NeMo's convert_to_tarred_audio_dataset.py writes it:

    audio_0.tar                        members such as one.flac
    tarred_audio_manifest.json         {"audio_filepath": "one.flac", "duration": 2.5, "text": "yes", "shard_id": 0}
    sharded_manifests/manifest_0.json  the lines of audio_0.tar

The sharded manifests are read if they are there, or else the one of all tars.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from ssl_asr.corpus.listed_files import ListedFiles
from ssl_asr.corpus.pieces import Piece, pieces
from ssl_asr.corpus.readers.entries import WHOLE, Part, entries_of, entry_of, name_of
from ssl_asr.corpus.readers.nemo import IDS, audio_of, path_id, utterance_of
from ssl_asr.corpus.readers.nemo_tars import Members, Tars, by_number, tars_in
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.tars import UNLISTED, read_tar, unlisted
from ssl_asr.recipe.identity import digest
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.patterns import FoundFile, in_folder, matching_files
from ssl_asr.store.utterance import Utterance

_SHARDED, _WHOLE = "sharded_manifests", "tarred_audio_manifest"
_OF_SHARD = re.compile(r"manifest[^/]*_(\d+)[^/]*\.json[^/]*")
_IN_PARTS = "manifests are read in parts, so that members of tars without a line can't be counted"
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
        stamps = tars_in(folder)
        files = sharded.get(folder) or [max(whole[folder], key=_version)]
        numbered = by_number(stamps)
        known = {_number_of(file.uri) for file in files}
        # Tars without a manifest are told once, by the first one.
        others = [name for number, names in numbered.items() if number not in known for name in names]
        for place, file in enumerate(files):
            number = _number_of(file.uri)
            mine = [*stamps] if number is None else numbered.get(number, []) + (others if place == 0 else [])
            state = digest([file.stamp, *(f"{name} of {stamps[name]}" for name in mine)])
            # A manifest of all tars is a few pieces, of which each lists them.
            named = None if number is None else ListedFiles(folder, tuple(mine))
            found += [replace(each, state=state, files=named) for each in pieces([file], by_lines=True)]
    return found


def read_nemo_tarred(path: str, channel: int = 0, *, part: Part = WHOLE, tars: Collection[str] = ()) -> Reading:
    """Every line of a manifest, with the audio in the tar of its `shard_id`. ValueError as `read_nemo`, `read_tar`.

    `tars` are the names of those of the manifest's own number, if they are known, and of some without a manifest.
    Where lines name others, or none is known, all are listed.

    A line's audio is the member that its `audio_filepath` names, or the one of the same name with another ending, as
    where NeMo has coded it anew. The lines NAME-sub1, NAME-sub2 and so on are further utterances of NAME. Other keys,
    and the id, are as in a NeMo manifest. A line is rejected if its tar or member is not there. Members without a
    line are counted where the manifest is read in one part.
    """
    file = filesystem.absolute(path)
    known, number = Tars(_folder(file), tars), _number_of(file)
    rejects, by_tar = list[Reject](), defaultdict[str, list[_Entry]](list)
    for place, line in entries_of(file, "NeMo", part):
        try:
            row = entry_of(line)
            by_tar[known.tar_of(number, row)].append((place, row))
        except ValueError as error:
            rejects.append(_reject(file, place, error))
    utterances, counts = list[Utterance](), Counter[str]()
    whole, others = _tars_to_tell(file, part, known)
    for tar, entries in sorted(by_tar.items()):
        content = read_tar(tar)
        rejects += content.rejects
        counts.update(content.counts)
        members = Members(tar, content.members)
        for found in _utterances(file, members, entries, channel):
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                utterances.append(found)
        counts.update({UNLISTED: members.unused} if tar in whole and members.unused else {})
    for tar in sorted((whole | others) - by_tar.keys()):
        counts.update(unlisted(tar))
    if part[0] == 0 and not _is_one_part(file, part):
        counts[_IN_PARTS] = 1
    return Reading(tuple(utterances), tuple(rejects), dict(counts), files=frozenset(by_tar))


def _tars_to_tell(manifest: str, part: Part, known: Tars) -> tuple[set[str], set[str]]:
    """Tars whose lines are all in this part of a manifest, and those of which no manifest speaks."""
    number = _number_of(manifest)
    others = known.beside(number) if number is not None and part[0] == 0 else set()
    return known.of_manifest(number) if _is_one_part(manifest, part) else set(), others


def _is_one_part(manifest: str, part: Part) -> bool:
    """Whether the manifest is read as a whole."""
    if part[0] or part[1] is None:
        return not part[0]
    with filesystem.reading(manifest) as file:
        return part[1] >= file.size()


def _number_of(manifest: str) -> int | None:
    """Of the tar whose lines a manifest has; None where these are the lines of all."""
    number = _OF_SHARD.fullmatch(_base(manifest))
    return int(number[1]) if number else None


def _utterances(file: str, members: Members, entries: list[_Entry], channel: int) -> Iterator[Utterance | Reject]:
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
