"""Reads WebDataset tars: members of one name belong together, an audio file and what is known of it.

    talks/ann-1.flac    talks/ann-1.txt  (good morning)
    talks/ann-1.json    {"text": "good morning", "duration": 2.5, "speaker": "ann"}

Audio alone is enough where no text is needed. Nothing is unpacked: an utterance names its bytes in the tar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ssl_asr.corpus.audio_places import part_of
from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.readers.entries import entry_of, name_of
from ssl_asr.corpus.readers.nemo import IDS, utterance_of
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.tars import Member, read_tar
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.patterns import is_hidden
from ssl_asr.store.utterance import Utterance

_JSON, _TXT = ".json", ".txt"
_LONELY = "members of tars are texts or JSON objects without audio"
_OTHERS = "members of tars are neither audio nor text nor JSON, and are not read"
_NO_AUDIO = "tars hold no audio"


def read_webdataset(path: str, channel: int = 0) -> Reading:
    """Every audio file in the tar; ValueError as `read_tar`.

    Its id is its name without the ending, folders included, unless the JSON object has an `id`. What is known of
    dir/KEY.flac is in dir/KEY.json, by the keys of a NeMo entry (see `nemo.py`), and in dir/KEY.txt, which counts
    where the object has no text. Of dir/KEY.left.flac it may also be in dir/KEY.json: WebDataset takes a name for
    what is before the first dot. Without a speaker, the audio counts as one. `channel` is the default.

    Two members of one name are rejected, for nothing says which of them is right. What begins with a dot is left out,
    a name or a folder in it.
    """
    file = filesystem.absolute(path)
    tar = read_tar(file, lambda name: name.endswith((_JSON, _TXT)) and not is_hidden(name))
    members = [member for member in tar.members if not is_hidden(member.name)]
    beside = _Beside(member for member in members if member.text is not None)
    times = Counter(member.name for member in members)
    audio = [member for member in members if split_ending(member.name)[1]]
    utterances, rejects = list[Utterance](), list(tar.rejects)
    for member in audio:
        name = split_ending(member.name)[0]
        known = beside.of(name)
        twice = next((each.name for each in (member, *known) if times[each.name] > 1), None)
        try:
            if twice:
                raise ValueError(f"{times[twice]} members are called {twice}; keep one of them")
            utterances.append(_utterance(name, part_of(file, member.begin, member.size), known, channel))
        except ValueError as error:
            rejects.append(Reject(name, f"{file}: {member.name}: {error}"))
    counts = {
        _LONELY: beside.unused,
        _OTHERS: len(tar.members) - len(audio) - len(beside),
        _NO_AUDIO: int(not audio),
    }
    told = {what: count for what, count in counts.items() if count}
    return Reading(tuple(utterances), tuple(rejects), {**tar.counts, **told}, files=frozenset([file]))


class _Beside:
    """Texts and JSON objects, by their names without the ending."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._found: dict[str, dict[str, Member]] = {}
        self._used: set[str] = set()
        self._count = 0
        for member in members:
            name, _, ending = member.name.rpartition(".")
            self._found.setdefault(name, {})[f".{ending}"] = member
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def of(self, name: str) -> tuple[Member, ...]:
        """What is known of the audio of this name, the JSON object first."""
        folder, slash, base = name.rpartition("/")
        key = next((key for key in (name, folder + slash + base.partition(".")[0]) if key in self._found), None)
        if key is None:
            return ()
        self._used.add(key)
        return tuple(member for _, member in sorted(self._found[key].items()))

    @property
    def unused(self) -> int:
        return sum(len(found) for key, found in self._found.items() if key not in self._used)


def _utterance(name: str, audio: str, known: tuple[Member, ...], channel: int) -> Utterance:
    row: Mapping[str, Any] = {}
    text = None
    for member in known:
        if member.name.endswith(_JSON):
            row = entry_of(_decoded(member))
        else:
            text = " ".join(_decoded(member).split())
    if text is not None and row.get("text") in (None, ""):
        row = {**row, "text": text}
    return utterance_of(row, name_of(row, *IDS) or name, audio, channel)


def _decoded(member: Member) -> str:
    assert member.text is not None, "it was asked for"
    try:
        return member.text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{member.name} is not UTF-8; save it as UTF-8") from None
