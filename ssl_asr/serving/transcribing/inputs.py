"""What a user may name as audio: files, folders, patterns, URIs, and manifests that a corpus reader reads."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ssl_asr.corpus.audio_places import file_of, is_inside
from ssl_asr.corpus.folders import split_ending, walk
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.patterns import ANY_FOLDERS, FoundFile, files_below, is_pattern, matching, matching_paths

# What reads a file that some give in place of audio, by the name's end.
_LISTS = {".jsonl": "nemo", ".jsonl.gz": "nemo", ".json": "nemo", ".tar": "webdataset", ".parquet": "parquet"}
_MOST_NAME_BYTES = 240  # of a file, with room for an ending
_NO_MATCH = "no file has such a name; correct the pattern"


@dataclass(frozen=True)
class AudioInput:
    """`duration` seconds of one channel of an audio file from `offset` on, an infinite one to its end.

    `name` is a relative path for what is made of it: of a file its name without ending, of a folder's file its path
    in that folder, of an utterance its id.
    """

    name: str
    uri: str
    offset: float = 0.0
    duration: float = math.inf
    channel: int = 0


Found = Iterator[AudioInput | Reject]


def audio_inputs(words: Iterable[str], channel: int = 0) -> Found:
    """All audio that `words` name, in their order, found as it is asked for; what can't be had is a reject.

    A word is a file, a folder (all audio below it, through links), a pattern (see `store/patterns.py`), each of these
    as a local path or URI, or READER:PATH, as in a recipe. It may also be the audio of an utterance in a tar or
    archive, as reports name it (see `audio_places`). `channel` is of files; manifests may name others.
    """
    for word in words:
        try:
            yield from _named(word, channel)
        except (OSError, ValueError) as error:
            yield Reject(shown(word), " ".join(str(error).split()).removeprefix(f"{word}: "))


def _named(word: str, channel: int) -> Found:
    if filesystem.is_file_uri(word):
        word = filesystem.resolve(word)[1]
    reader, colon, path = word.partition(":")
    if filesystem.is_uri(word):
        yield from _in_store(word, channel)
    elif os.path.lexists(word):
        yield from _local(word, "", channel)
    elif is_inside(word):
        yield _inside(word, channel)
    elif colon and reader.replace("-", "_").isidentifier():
        yield from _in_manifest(reader, path, channel)
    elif is_pattern(word):
        matches = matching_paths(word)
        if not matches:
            yield Reject(word, _NO_MATCH)
        for match in matches:
            if ANY_FOLDERS not in word or not os.path.isdir(match):
                yield from _local(match, "", channel)
    elif os.path.lexists(os.path.expanduser(word)):
        yield from _local(os.path.expanduser(word), "", channel)
    else:
        yield Reject(shown(word), "there is no such file or folder; correct the path")


def _local(path: str, folder: str, channel: int) -> Found:
    """A file or a folder that is there, or a link; `folder` is the part of the path that the name leaves out."""
    if not os.path.exists(path):
        yield Reject(shown(path), f"it is a link to {shown(os.readlink(path))}, which is not there; mend the link")
    elif os.path.isdir(path):
        yield from _in_folder(path, channel)
    elif not os.path.isfile(path):
        yield Reject(shown(path), "it is not a plain file; record it to one first")
    elif reader := next((reader for ending, reader in _LISTS.items() if path.endswith(ending)), None):
        yield Reject(
            shown(path), f"it is no audio file; if it lists or holds audio, name its reader: {reader}:{shown(path)}"
        )
    else:
        yield _file(
            os.path.abspath(path), os.path.relpath(path, folder) if folder else os.path.basename(path), channel
        )


def _in_folder(folder: str, channel: int) -> Found:
    any_audio, others, unreadable = False, 0, list[OSError]()
    for place, names in walk(folder, unreadable.append):
        for name in names:
            path = os.path.join(place, name)
            if split_ending(name)[1] or not os.path.exists(path):
                any_audio = True
                yield from _local(path, folder, channel)
            else:
                others += 1
    for error in unreadable:
        yield Reject(
            shown(str(error.filename)), f"the folder can't be read ({error.strerror}); change its permissions"
        )
    if not any_audio and not unreadable:
        yield _no_audio(folder, others)


def _in_store(uri: str, channel: int) -> Found:
    named = matching(uri)
    if not named:
        yield Reject(uri, _NO_MATCH if is_pattern(uri) else "there is no such file or folder; correct the URI")
    for each in named:
        if isinstance(each, FoundFile):
            yield _file(each.uri, PurePosixPath(each.uri).name, channel)
        else:
            yield from _in_stored_folder(each.uri.rstrip("/"), channel)


def _in_stored_folder(folder: str, channel: int) -> Found:
    files = files_below(folder)
    audio = [file.uri for file in files if split_ending(file.uri)[1]]
    for file in audio:
        yield _file(file, file[len(folder) + 1 :], channel)
    if not audio:
        yield _no_audio(folder, len(files))


def _in_manifest(reader: str, path: str, channel: int) -> Found:
    from ssl_asr.corpus.readers.registry import READERS, read_listed

    if reader not in READERS:
        raise ValueError(
            f"there is no such file, and no reader {reader}; use a path or {', '.join(READERS)} and :PATH"
        )
    reading = read_listed(reader, path, channel, texts=False)
    yield from reading.rejects
    for each in reading.utterances:
        yield _checked(AudioInput(_safe(each.id), each.audio, each.offset, each.duration, each.channel))


def _inside(audio: str, channel: int) -> AudioInput | Reject:
    """Called after its file and its place in it."""
    file, place = file_of(audio), audio.rpartition(":")[2].partition("+")[0]
    return _checked(AudioInput(_safe(f"{PurePosixPath(file or '').stem}-{place}"), audio, channel=channel))


def _file(uri: str, name: str, channel: int) -> AudioInput | Reject:
    return _checked(AudioInput(_safe(split_ending(name)[0]), uri, channel=channel))


def _checked(found: AudioInput) -> AudioInput | Reject:
    try:
        longest = max(len(part.encode()) for part in f"{found.uri}/{found.name}".split("/"))
    except UnicodeEncodeError:
        return Reject(shown(found.uri), "its name is not valid UTF-8; rename it")
    if longest > _MOST_NAME_BYTES:
        return Reject(found.uri, f"its name is longer than {_MOST_NAME_BYTES} bytes; rename it")
    return found


def _safe(name: str) -> str:
    """As a relative path that stays in its folder."""
    parts = (re.sub(r"[\x00-\x1f\x7f]", "_", part) for part in name.split("/"))
    return "/".join("_" if part in (".", "..") else part for part in parts if part) or "_"


def shown(path: str) -> str:
    """A name that need not be UTF-8, so that it can be printed."""
    return path.encode(errors="backslashreplace").decode()


def _no_audio(folder: str, others: int) -> Reject:
    if not others:
        return Reject(folder, "the folder is empty; it has no audio to transcribe")
    return Reject(
        folder, f"none of its {others} files is called like audio, such as .wav or .flac; name the files themselves"
    )
