"""Reads Multilingual LibriSpeech (openslr.org/94): a folder train, dev or test of a language, with its transcripts.

    mls_polish/train/transcripts.txt
    mls_polish/train/audio/6892/10049/6892_10049_000000.flac      or .opus
    mls_polish/train/limited_supervision/9hr/handles.txt

A line of transcripts.txt is an id, a tab and the text. One of handles.txt, which names a part of it, is an id.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.entries import WHOLE, Part, entries_of
from ssl_asr.corpus.readers.librispeech import audio_by_name
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.trees import check_name, files_of
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

LINES = "transcripts.txt"
_LEVELS = 3  # at most, from handles.txt up to the folder of transcripts.txt
_DEFAULT_ENDING = ".flac"
_ENDINGS = (_DEFAULT_ENDING, ".opus")  # that the corpus comes with


@dataclass(frozen=True)
class _Line:
    """`place` is "line 7"; `text` is None of an id that transcripts.txt lacks."""

    place: str
    name: str
    text: str | None


class _MissingAudio(ValueError):
    """`path` is that of the file, without its ending."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}{_DEFAULT_ENDING} is missing; restore it or leave out its line")
        self.path = path


def read_mls(path: str, channel: int = 0, *, part: Part = WHOLE) -> Reading:
    """Every line of a transcripts.txt, or of a list of ids; of a `part`, those that begin in these bytes.

    The audio is below the folder audio beside transcripts.txt, which is looked for above a list of ids. The speaker
    is the first part of the id. An id without audio or without a text is rejected. Audio that is not listed is left
    out. ValueError where there is no such list, or no transcripts.txt above a list of ids.
    """
    file = filesystem.absolute(path)
    root = _root_of(file)
    lines = _lines(file, root, part)
    utterances, rejects, missing = list[Utterance](), list[Reject](), set[str]()
    names_in = cache(_names_in)
    for line in lines:
        try:
            utterances.append(_utterance(line, root, names_in, channel))
        except _MissingAudio as error:
            rejects.append(Reject(line.name, str(error)))
            missing.update(f"{error.path}{ending}" for ending in _ENDINGS)
        except ValueError as error:
            rejects.append(Reject(line.name or line.place, str(error)))
    return Reading(tuple(utterances), tuple(rejects), files=frozenset(missing))


def read_mls_audio(piece: Piece, channel: int = 0) -> Reading:
    """Every audio file of a tree without transcripts.txt; the speaker is the first part of its name."""
    utterances, rejects = list[Utterance](), list[Reject]()
    for path, uri in files_of(piece):
        try:
            check_name(uri)
        except ValueError as error:
            rejects.append(Reject(ascii(path), str(error)))
            continue
        name = split_ending(path.rpartition("/")[2])[0]
        utterances.append(Utterance(name, uri, name.split("_")[0], order=0, duration=math.inf, channel=channel))
    return Reading(tuple(utterances), tuple(rejects))


def lists_beside(file: str) -> list[str]:
    """Files that say what a list means, beside it."""
    lines = f"{_root_of(file)}/{LINES}"
    return [] if file == lines else [lines]


def _root_of(file: str) -> str:
    """The folder of transcripts.txt, which is `file` or lies above it."""
    folder, base = file.rpartition("/")[::2]
    if base == LINES:
        return folder
    for _ in range(_LEVELS + 1):
        if filesystem.exists(f"{folder}/{LINES}"):
            return folder
        folder = folder.rpartition("/")[0]
    raise ValueError(f"{file}: there is no {LINES} in a folder above it; keep it where it lies in the corpus")


def _lines(file: str, root: str, part: Part) -> Iterator[_Line]:
    listed = entries_of(file, "Multilingual LibriSpeech", part)
    if file == f"{root}/{LINES}":
        for place, line in listed:
            yield _Line(place, *_fields(line))
        return
    places = {line.strip(): place for place, line in listed}
    texts = _texts(f"{root}/{LINES}", places)
    for name, place in places.items():
        yield _Line(place, name, texts.get(name))


def _fields(line: str) -> tuple[str, str]:
    name, _, text = line.partition("\t" if "\t" in line else " ")
    return name.strip(), text.strip()


def _texts(file: str, wanted: Mapping[str, str]) -> dict[str, str]:
    fields = (_fields(line) for _, line in read_lines(file))
    return {name: text for name, text in fields if name in wanted}


def _names_in(folder: str) -> dict[str, str]:
    """Audio files by their names without ending; none where there is no such folder."""
    return audio_by_name([*filesystem.sizes_and_times(folder)])


def _utterance(line: _Line, root: str, names_in: Callable[[str], Mapping[str, str]], channel: int) -> Utterance:
    name = line.name
    speaker, _, rest = name.partition("_")
    book, _, number = rest.partition("_")
    if not (speaker and book and number):
        raise ValueError(
            f"{root}/{LINES}: {name!r} is no id of the form SPEAKER_BOOK_NUMBER; fix or leave out its line"
        )
    if line.text is None:
        raise ValueError(f"{root}/{LINES} has no line of {name}; add it, or leave the id out")
    folder = f"{root}/audio/{speaker}/{book}"
    audio = names_in(folder).get(name)
    if audio is None:
        raise _MissingAudio(f"{folder}/{name}")
    return Utterance(name, f"{folder}/{audio}", speaker, order=0, duration=math.inf, channel=channel, text=line.text)
