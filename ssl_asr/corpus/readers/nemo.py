"""Reads a NeMo manifest, one JSON object a line.

{"audio_filepath": "wavs/one.wav", "duration": 2.5, "offset": 0.0, "text": "good morning", "speaker": "ann"}
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.readers.entries import (
    WHOLE,
    Part,
    Places,
    channel_of,
    entries_of,
    entry_of,
    given,
    name_of,
    number_of,
    seconds_of,
    tags_of,
    text_of,
)
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

IDS = ("id", "utt_id")
_AUDIO = ("audio_filepath", "audio_filename", "audio_file", "audio")
_TO_THE_END = -1  # as a duration; NeMo reads the rest of the file then


def read_nemo(path: str, channel: int = 0, *, part: Part = WHOLE, current: str | None = None) -> Reading:
    """Every line of the manifest; ValueError if there is no such file, or it is JSON of another form.

    Of a `part`, the lines that begin in these bytes. `current` stands for the current directory.

    Only the audio must be given; null and "" are not. `offset`, `duration` and `channel` choose a part of it, and a
    duration of -1 means the rest of the file. A relative path is taken from the manifest's folder if the file is
    there, or else from the current directory, as in NeMo. Without a speaker, the audio file counts as the speaker.
    Other keys of NeMo and of NeMo Curator are known too: `audio_filename`, `speaker_id`, and `normalized_text`, which
    holds the words as they are spoken and so goes before `text`. `tags` is an object of strings: of a test split
    `set` names the test set.

    An id is the line's `id` or `utt_id`. Without one it is the path of the audio, without its ending: as written if
    it is relative, from the manifest's folder on if it is below that, or else whole; with channel and offset in ms if
    these are given. So no id depends on another line. Lines that are no such entry are rejected by their number.
    """
    file = filesystem.absolute(path)
    places = Places(file.rpartition("/")[0], current or os.getcwd())
    utterances, rejects = list[Utterance](), list[Reject]()
    for name, line in entries_of(file, "NeMo", part):
        try:
            utterances.append(nemo_utterance(entry_of(line), places, channel))
        except ValueError as error:
            rejects.append(Reject(name, f"{file} {name} is not a NeMo entry ({error}); fix it"))
    return Reading(tuple(utterances), tuple(rejects), files=frozenset(places.missing))


def nemo_utterance(row: Mapping[str, Any], places: Places, channel: int) -> Utterance:
    """Of one entry; the first folder of `places` is the manifest's."""
    audio = audio_of(row)
    name = name_of(row, *IDS) or path_id(row, audio, places.folders[0])
    return utterance_of(row, name, places.find(audio), channel)


def utterance_of(row: Mapping[str, Any], name: str, audio: str, channel: int) -> Utterance:
    """The utterance with the id `name`, as an object with NeMo's keys describes it."""
    offset, duration, chosen = seconds_of(row, "offset"), number_of(row, "duration"), channel_of(row, "channel")
    if duration is not None and duration < 0 and duration != _TO_THE_END:
        raise ValueError(f"its duration is {duration:g}, which is negative")
    speaker = name_of(row, "speaker", "speaker_id")
    return Utterance(
        id=name,
        audio=audio,
        speaker=audio if speaker is None else speaker,
        order=0,
        offset=offset or 0.0,
        duration=math.inf if duration in (None, _TO_THE_END) else float(duration),
        channel=channel if chosen is None else chosen,
        text=text_of(row, "normalized_text", "text"),
        tags=tags_of(row),
    )


def audio_of(row: Mapping[str, Any]) -> str:
    """The audio that an entry names."""
    audio = given(row, *_AUDIO)
    if isinstance(audio, list):
        raise ValueError("it names a list of audio files; give each file a line, or join their channels in one file")
    found = text_of(row, *_AUDIO)
    if not found:
        raise ValueError("it lacks audio_filepath")
    return found


def path_id(row: Mapping[str, Any], audio: str, folder: str) -> str:
    """The id of an entry that names none: its audio's path below `folder`, with channel and offset if it has them."""
    channel, offset = channel_of(row, "channel"), seconds_of(row, "offset")
    if filesystem.is_uri(audio):
        path = audio.partition("://")[2]
    else:
        path = os.path.normpath(os.path.join(folder, os.path.expanduser(audio)))
        path = path.removeprefix(f"{folder}/").lstrip("/")
    of_channel = "" if channel is None else f"-ch{channel}"
    return split_ending(path)[0] + of_channel + ("" if offset is None else f"-{round(offset * 1000):07d}")
