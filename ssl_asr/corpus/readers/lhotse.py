"""Reads a lhotse cut manifest: JSON lines, plain or gzipped, of cuts of recordings in files.

    {"id": "c1", "start": 3.5, "duration": 9.0, "channel": 0, "type": "MonoCut",
     "supervisions": [{"id": "s1", "start": 0.5, "duration": 2.5, "channel": 0, "text": "hello", "speaker": "ann"}],
     "recording": {"id": "r1", "sources": [{"type": "file", "channels": [0], "source": "wavs/r1.wav"}]}}

(on one line). lhotse itself is not needed, and takes seconds to import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ssl_asr.corpus.readers.entries import (
    WHOLE,
    Part,
    Places,
    entries_of,
    entry_of,
    given,
    name_of,
    number_of,
    object_of,
    objects_of,
    seconds_of,
    tags_of,
    text_of,
)
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

Find = Callable[[Mapping[str, Any]], str]  # a path or URI for a source of a recording, or a ValueError
TOLERATED_SECONDS = 0.5  # by which a supervision may stick out of its cut: then it is cut there
_SAVE = "save the audio to files with CutSet.save_audios and export the cuts that it returns"
_OTHER_SOURCES = {
    "command": "is the output of a shell command, which is not run",
    "memory": "is inside the manifest",
    "shar": "is in the tars of a Shar folder, which shar:FOLDER reads",
}
# A key that a manifest of another kind has, and what its entries are.
_OTHER_KINDS = {"sources": "recordings", "num_features": "features", "recording_id": "supervisions"}
_SAME_AUDIO = "Resample"  # the only transform that leaves a recording's times and sounds


def read_lhotse(path: str, channel: int = 0, *, part: Part = WHOLE, current: str | None = None) -> Reading:
    """Every supervision of every cut; ValueError if there is no such file or it is not a cut manifest in JSON lines.

    Of a `part`, the lines that begin in these bytes. `current` stands for the current directory.

    An utterance is a supervision, not its cut: it has the supervision's id and times, which count from the start of
    the cut. A cut without supervisions is an utterance without text. Text is that of the supervision or, as in
    Libriheavy, the first of its custom `texts`. Without a speaker, the recording counts as the speaker. The cut's
    custom field `tags` is an object of strings: of a test split `set` names the test set.

    Rejected are cuts that pad, append, mix or change audio, those whose audio is not a file, and supervisions that
    stick out of their cut by more than half a second. A relative path is taken from the current directory, as in
    lhotse, or else from the manifest's folder. `channel` is not used: each cut names its own.
    """
    file = filesystem.absolute(path)
    places = Places(current or os.getcwd(), file.rpartition("/")[0])
    reading = read_cuts(file, lambda cut: partial(_in_files, places), part)
    return replace(reading, files=frozenset(places.missing))


def read_cuts(file: str, find: Callable[[str], Find], part: Part = WHOLE) -> Reading:
    """The same, where `find` tells by the id of a cut what finds its audio."""
    utterances, rejects = list[Utterance](), list[Reject]()
    for place, line in entries_of(file, "lhotse", part, _check_kind):
        name = place
        try:
            row = entry_of(line)
            name = name_of(row, "id") or name
            for found in _cut_utterances(row, find(name)):
                if isinstance(found, Reject):
                    rejects.append(found)
                else:
                    utterances.append(found)
        except ValueError as error:
            rejects.append(Reject(name, f"{file} {place}: {error}"))
    return Reading(tuple(utterances), tuple(rejects))


def _cut_utterances(cut: Mapping[str, Any], find: Find) -> Iterator[Utterance | Reject]:
    """Of one entry. ValueError if the cut is no plain part of a file."""
    span = _span_of(cut)
    spoken = objects_of(cut, "supervisions")
    if not spoken:
        yield _utterance(span, {"id": span.name, "start": 0, "duration": span.duration}, find)
    for each in spoken:
        try:
            yield _utterance(span, each, find)
        except ValueError as error:
            yield Reject(str(each.get("id", span.name)), f"a supervision of the cut {span.name}: {error}")


@dataclass(frozen=True)
class _Span:
    """A plain part of a recording: `duration` seconds from `start` on, of some of its channels."""

    name: str
    start: float
    duration: float
    channels: list[int]
    recording: str
    sources: list[dict[str, Any]]
    tags: Mapping[str, str]


def _check_kind(file: str, first: str) -> None:
    try:
        row = entry_of(first)
    except ValueError as error:
        raise ValueError(
            f"{file} is not a lhotse manifest in JSON lines ({error}); convert it: lhotse copy {file} cuts.jsonl.gz"
        ) from None
    kind = next((kind for key, kind in _OTHER_KINDS.items() if key in row), "")
    if kind and "type" not in row:
        raise ValueError(
            f"{file} is a manifest of {kind}, not of cuts; make cuts of recordings and supervisions: "
            "lhotse cut simple -r RECORDINGS -s SUPERVISIONS cuts.jsonl.gz"
        )


def _span_of(cut: Mapping[str, Any]) -> _Span:
    kind, recording = cut.get("type"), object_of(cut, "recording")
    if kind == "MixedCut":
        raise ValueError(f"the cut {_mixture(cut)}; export the cuts from before that")
    if kind not in ("MonoCut", "MultiCut", "Cut") or not recording:
        raise ValueError(f"it is a {kind or 'row'} without a recording, not a MonoCut of one; export such cuts")
    changes = [str(each.get("name")) for each in objects_of(recording, "transforms")]
    if changes := [each for each in changes if each != _SAME_AUDIO]:
        raise ValueError(f"its audio is changed ({', '.join(changes)}) when it is read; {_SAVE}")
    name, duration = name_of(cut, "id"), seconds_of(cut, "duration")
    if name is None or duration is None:
        raise ValueError(f"the cut lacks {'an id' if name is None else 'a duration'}")
    return _Span(
        name=name,
        start=seconds_of(cut, "start") or 0.0,
        duration=duration,
        channels=_channels(cut, "channel", [0]),
        recording=name_of(recording, "id") or name,
        sources=objects_of(recording, "sources"),
        tags=tags_of(object_of(cut, "custom")),
    )


def _utterance(span: _Span, spoken: Mapping[str, Any], find: Find) -> Utterance:
    name, start, duration = name_of(spoken, "id"), number_of(spoken, "start"), seconds_of(spoken, "duration")
    if name is None or start is None or duration is None:
        raise ValueError("it lacks id, start or duration")
    out = max(-start, start + duration - span.duration)
    if out > TOLERATED_SECONDS:
        raise ValueError(f"it lies {out:.2f} s outside; cut its audio anew, for its text says more than is there")
    begin, end = max(start, 0.0), min(start + duration, span.duration)
    channel = _channel_of(span, spoken)
    audio, place = _audio_of(span, channel, find)
    speaker, text = name_of(spoken, "speaker"), text_of(spoken, "text")
    return Utterance(
        id=name,
        audio=audio,
        speaker=span.recording if speaker is None else speaker,
        order=0,
        offset=span.start + begin,
        duration=end - begin,
        channel=place,
        text=text or _libriheavy_text(spoken) or text,
        tags=span.tags,
    )


def _channel_of(span: _Span, spoken: Mapping[str, Any]) -> int:
    """The one channel that the cut and its supervision share."""
    mine = _channels(spoken, "channel", span.channels)
    shared = [each for each in span.channels if each in mine]
    if len(shared) != 1:
        raise ValueError(
            f"it is of channels {mine}, and its cut of {span.channels}; choose one that is in both by with_channels"
        )
    return shared[0]


def _audio_of(span: _Span, channel: int, find: Find) -> tuple[str, int]:
    """The file with a channel of the recording, and the channel's place in it."""
    sources = [source for source in span.sources if channel in _channels(source, "channels", [])]
    if len(sources) != 1:
        raise ValueError(f"{len(sources)} sources of the recording {span.recording} have channel {channel}, not one")
    return find(sources[0]), _channels(sources[0], "channels", []).index(channel)


def _in_files(places: Places, source: Mapping[str, Any]) -> str:
    kind, path = source.get("type"), text_of(source, "source")
    if kind not in ("file", "url") or not path:
        raise ValueError(f"its audio {_OTHER_SOURCES.get(str(kind), f'is of the type {kind}')}; {_SAVE}")
    return places.find(path)


def _channels(row: Mapping[str, Any], key: str, usual: list[int]) -> list[int]:
    """One channel or a list of them, as a list; `usual` if none is given."""
    value = given(row, key)
    found = value if isinstance(value, list) else [value]
    if value is not None and not all(type(each) is int and each >= 0 for each in found):
        raise ValueError(f"its {key} is {value!r}, not a channel from 0 on or a list of them")
    return usual if value is None else found


def _libriheavy_text(spoken: Mapping[str, Any]) -> str | None:
    """Libriheavy's `texts` are the book's words, then those of a recogniser."""
    texts = object_of(spoken, "custom").get("texts")
    return text_of({"texts": texts[0]}, "texts") if isinstance(texts, list) and texts else None


def _mixture(cut: Mapping[str, Any]) -> str:
    """What was done to make a MixedCut, as the end of a sentence."""
    spoken = [track for track in objects_of(cut, "tracks") if track.get("type") != "PaddingCut"]
    if len(spoken) < 2:
        return "is padded"
    starts = [number_of(track, "offset") or 0.0 for track in spoken]
    lengths = [number_of(object_of(track, "cut"), "duration") or 0.0 for track in spoken]
    apart = all(
        start > before + length - 1e-3 for start, before, length in zip(starts[1:], starts, lengths, strict=False)
    )
    return f"{'appends' if apart else 'mixes'} {len(spoken)} cuts"
