"""Reads lhotse's Shar folders: cuts.000000.jsonl.gz and recording.000000.tar, then the same for 000001, and so on.

The cuts are as in a lhotse manifest (see `lhotse.py`). The tar holds CUT.flac (or wav, mp3, opus) for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ssl_asr.corpus.audio_places import part_of
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.lhotse import read_cuts
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.tars import Member, read_tar
from ssl_asr.store import filesystem
from ssl_asr.store.patterns import FoundFile, in_folder, matching_files

_CUTS, _RECORDINGS, _LINES = "cuts", "recording", ".jsonl"
_ABOUT = (".json", ".nodata", ".nometa")  # members beside the audio, or in place of what a cut lacks


def shar_pieces(path: str) -> list[Piece]:
    """A piece for each file of cuts in the folder or folders that a path, URI or pattern names."""
    folder = in_folder(path)
    tars = {file.uri: file for file in matching_files(f"{folder}/{_RECORDINGS}*.tar")}
    cuts = matching_files(f"{folder}/{_CUTS}*{_LINES}*")
    return [Piece(file.uri, 0, file.size, _state(file, tars.get(tar_of(file.uri)))) for file in cuts]


def read_shar(path: str) -> Reading:
    """Every supervision of every cut in one file of cuts, as `read_lhotse`; audio is that of the tar beside it.

    A cut is rejected if the tar has no audio for it, or audio twice. ValueError as `read_lhotse` and `read_tar`.
    """
    file = filesystem.absolute(path)
    tar = tar_of(file)
    content = read_tar(tar)
    members: dict[str, list[Member]] = {}
    for member in content.members:
        if not member.name.endswith(_ABOUT):
            members.setdefault(member.name.rpartition(".")[0], []).append(member)
    found = read_cuts(file, lambda cut: partial(_in_tar, tar, members.get(cut, [])))
    return Reading(
        found.utterances,
        (*content.rejects, *found.rejects),
        {**content.counts, **found.counts},
        files=frozenset([tar]),
    )


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


def _state(cuts: FoundFile, tar: FoundFile | None) -> str:
    return "; ".join(file.stamp for file in (cuts, tar) if file is not None)
