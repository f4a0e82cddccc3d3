"""Reads lhotse's Shar folders: cuts.000000.jsonl.gz and recording.000000.tar, then the same for 000001, and so on.

The cuts are as in a lhotse manifest (see `lhotse.py`). The tar holds CUT.flac (or wav, mp3, opus) for each of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ssl_asr.corpus.audio_places import part_of
from ssl_asr.corpus.listed_files import ListedFiles
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.lhotse import Find, read_cuts
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.tars import UNLISTED, Member, read_tar, unlisted
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import FoundFile, in_folder, matching_files

_CUTS, _RECORDINGS, _LINES = "cuts", "recording", ".jsonl"
_ABOUT = (".json", ".nodata", ".nometa")  # members beside the audio, or in place of what a cut lacks


def shar_pieces(path: str) -> list[Piece]:
    """A piece for each file of cuts in the folder or folders that a path, URI or pattern names."""
    folder = in_folder(path)
    tars = {file.uri: file for file in matching_files(f"{folder}/{_RECORDINGS}*.tar")}
    cuts = matching_files(f"{folder}/{_CUTS}*{_LINES}*")
    others = defaultdict[str, list[FoundFile]](list)  # by folder, tars without a file of cuts
    for uri in sorted(tars.keys() - {tar_of(file.uri) for file in cuts}):
        others[uri.rpartition("/")[0]].append(tars[uri])
    found = []
    for file in cuts:
        root = file.uri.rpartition("/")[0]
        more = others.pop(root, [])  # told once, by the first piece of the folder
        names = ListedFiles(root, tuple(each.uri.removeprefix(f"{root}/") for each in more)) if more else None
        found.append(Piece(file.uri, 0, file.size, _state(file, tars.get(tar_of(file.uri)), *more), files=names))
    return found


def read_shar(path: str, others: Iterable[str] = ()) -> Reading:
    """Every supervision of every cut in one file of cuts, as `read_lhotse`; audio is that of the tar beside it.

    A cut is rejected if the tar has no audio for it, or audio twice. Audio without a cut is counted, and so is that
    of `others`, tars of which no file of cuts speaks. ValueError as `read_lhotse` and `read_tar`.
    """
    file = filesystem.absolute(path)
    tar = tar_of(file)
    content = read_tar(tar)
    members: dict[str, list[Member]] = {}
    for member in content.members:
        if not member.name.endswith(_ABOUT):
            members.setdefault(member.name.rpartition(".")[0], []).append(member)
    unused = dict(members)

    def find(cut: str) -> Find:
        unused.pop(cut, None)
        return partial(_in_tar, tar, members.get(cut, []))

    found = read_cuts(file, find)
    counts = Counter[str]({**content.counts, **found.counts})
    counts.update({UNLISTED: sum(map(len, unused.values()))} if unused else {})
    for other in others:
        counts.update(unlisted(other, _ABOUT))
    return Reading(found.utterances, (*content.rejects, *found.rejects), dict(counts), files=frozenset([tar]))


def tar_of(cuts: str) -> str:
    """The tar of a file of cuts."""
    folder, slash, name = cuts.rpartition("/")
    number = name.removeprefix(_CUTS).partition(_LINES)[0]
    return f"{folder}{slash}{_RECORDINGS}{number}.tar"


def _in_tar(tar: str, members: list[Member], source: Mapping[str, Any]) -> str:
    if source.get("type") != "shar":
        raise ValueError(f"its audio is of the type {source.get('type')}, not shar; read such cuts with lhotse:")
    if len(members) != 1:
        raise ValueError(f"{tar} holds {len(members)} recordings of it, not one; export the cuts again")
    return part_of(tar, members[0].begin, members[0].size)


def _state(*files: FoundFile | None) -> str:
    return "; ".join(file.stamp for file in files if file is not None)
