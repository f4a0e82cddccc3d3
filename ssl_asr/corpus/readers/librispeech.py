"""Reads a tree in LibriSpeech's form: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt and SPEAKER-CHAPTER-NUMBER.flac.

    84-121123-0000 GO DO YOU HEAR

is a line of a trans.txt. Where no text is needed, trees without such files are read too, as those of Libri-Light
(SPEAKER/BOOK/NAME.flac).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.librispeech_tree import LINES, names_in
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.trees import check_name, files_of
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

_LINES_OF_MLS = "transcripts.txt"
_NAME = re.compile(r"(\d+)-\d+-\d+")
_TESTED = re.compile("(dev|test)-(clean|other)")  # sets of LibriSpeech with results of their own
_PREFERRED = (".flac", ".wav")  # of several files of one name


def read_librispeech(piece: Piece, channel: int = 0, *, texts: bool = True) -> Reading:
    """Every line of every *.trans.txt of a piece of `librispeech_pieces`; ValueError if its tree has none.

    A line whose audio isn't beside it is rejected, and audio without a line is counted. Where no `texts` are needed,
    audio without a line is an utterance too; ValueError then says that there is no audio. It is called after its
    file if that is named as in LibriSpeech, or else after its path in the tree, with the folder two levels up as
    speaker. What lies in a folder such as test-clean has its name as test set.
    """
    found, files = _Found(), files_of(piece)
    names = [name for name, _ in files if found.check(name)]
    for below, inside in groupby(names, os.path.dirname):
        folder = f"{files.root}/{below}" if below else files.root
        found.add(folder, [os.path.basename(name) for name in inside], below, channel)
    if texts and not any(name.endswith(LINES) for name in names):
        _check_has_lines(piece.uri)
    if not (found.transcribed or found.others or found.rejects):
        raise ValueError(f"{piece.uri} is not a LibriSpeech tree: there is no audio below it")
    utterances = found.transcribed + ([] if texts else found.others)
    counts = {f"audio files without a line in a {LINES[1:]}": len(found.others)} if texts and found.others else {}
    return Reading(tuple(utterances), tuple(found.rejects), counts)


def _check_has_lines(root: str) -> None:
    """ValueError where no folder of a tree has a list of transcripts."""
    other = ""
    for folder, names in names_in(root):
        if any(name.endswith(LINES) for name in names):
            return
        other = folder if _LINES_OF_MLS in names else other
    raise ValueError(
        f"{other}/{_LINES_OF_MLS} has the transcripts of Multilingual LibriSpeech; use mls:{other}"
        if other
        else f"{root} is not a LibriSpeech tree: there is no *{LINES} below it"
    )


@dataclass
class _Found:
    """What a tree holds: utterances with a line in a trans.txt, those without, and lines without audio."""

    transcribed: list[Utterance] = field(default_factory=list)
    others: list[Utterance] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def check(self, name: str) -> bool:
        """Whether a file's name can be written; it is rejected if not."""
        try:
            check_name(name)
        except ValueError as error:
            self.rejects.append(Reject(ascii(name), str(error)))
            return False
        return True

    def add(self, folder: str, names: Sequence[str], below: str, channel: int) -> None:
        """All of one folder; `below` is its path in the tree."""
        audio, listed = audio_by_name(names), set()
        sets = [part for part in folder.split("/") if _TESTED.fullmatch(part)]
        tags = {"set": sets[-1]} if sets else {}
        for file in (os.path.join(folder, name) for name in names if name.endswith(LINES)):
            for _, line in read_lines(file):
                name, *rest = line.split(None, 1)
                listed.add(name)
                if name not in audio:
                    why = f"{os.path.join(folder, name)}.flac is missing; restore or leave out its line"
                    self.rejects.append(Reject(name, why))
                    continue
                uri, text = os.path.join(folder, audio[name]), "".join(rest).strip()
                self.transcribed.append(_utterance(name, uri, name.split("-")[0], channel, text, tags))
        for name in sorted({*audio} - listed):
            usual = _NAME.fullmatch(name)
            called = name if usual else os.path.normpath(os.path.join(below, name))
            speaker = usual[1] if usual else os.path.basename(os.path.dirname(folder))
            self.others.append(_utterance(called, os.path.join(folder, audio[name]), speaker, channel, None, tags))


def audio_by_name(names: Sequence[str]) -> dict[str, str]:
    """Files with an ending of audio, by their names without it."""
    found: dict[str, str] = {}
    for file in sorted(names, key=lambda file: (_rank(file), file)):
        name, ending = split_ending(file)
        if ending:
            found.setdefault(name, file)
    return found


def _rank(file: str) -> int:
    ending = os.path.splitext(file)[1].lower()
    return _PREFERRED.index(ending) if ending in _PREFERRED else len(_PREFERRED)


def _utterance(
    name: str, uri: str, speaker: str, channel: int, text: str | None, tags: Mapping[str, str]
) -> Utterance:
    return Utterance(name, uri, speaker, order=0, duration=math.inf, channel=channel, text=text, tags=tags)
