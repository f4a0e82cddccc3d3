"""Reads a list of Mozilla Common Voice: train.tsv, dev.tsv, test.tsv, other.tsv or validated.tsv of a language.

    cv-corpus-22.0-2025-06-20/es/train.tsv
    cv-corpus-22.0-2025-06-20/es/clips/common_voice_es_19698530.mp3
    cv-corpus-22.0-2025-06-20/es/clip_durations.tsv

    client_id  path                          sentence                    up_votes  down_votes  ...
    4f0b1d2... common_voice_es_19698530.mp3  Habita en aguas profundas.  2         0           ...

with one tab between columns. Which columns there are, and their order, is another in every version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.readers.entries import WHOLE, Part, entries_of
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

_DURATIONS = "clip_durations.tsv"
_COLUMNS = ("client_id", "path", "sentence")
# That file counts frames of MP3, of which up to three hold the encoder's delay and padding, and no speech.
_NOT_SPOKEN = 0.1


@dataclass(frozen=True)
class _Row:
    """`clip` is the name of the audio file."""

    talker: str
    clip: str
    sentence: str


def read_common_voice(path: str, channel: int = 0, *, part: Part = WHOLE, lengths: bool = False) -> Reading:
    """Every line of the list; of a `part`, the lines that begin in these bytes. ValueError without its header.

    The speaker is the `client_id`. A quotation mark is a character as any other. Names of clips without an ending, as
    in version 2 and before, end in .mp3. A line with another number of columns than the header is rejected.
    Where `lengths` are believed, `clip_durations.tsv` gives them, if it is there, less a tenth of a second: so nobody
    asks for audio that an MP3's frames only seem to have. Otherwise none is known, and a clip is heard to its end.
    """
    file = filesystem.absolute(path)
    header = _header(file)
    rows, rejects = list[_Row](), list[Reject]()
    listed = entries_of(file, "Common Voice", part)
    if not part[0]:
        next(listed)
    for name, line in listed:
        try:
            rows.append(_row(header, line))
        except ValueError as error:
            rejects.append(Reject(name, f"{file} {name} is no clip ({error}); fix it or leave it out"))
    folder = file.rpartition("/")[0]
    (durations,) = lists_beside(file)
    seconds = _seconds(durations, {row.clip for row in rows}) if lengths else {}
    utterances = [_utterance(row, folder, seconds, channel) for row in rows]
    return Reading(tuple(utterances), tuple(rejects))


def lists_beside(file: str) -> list[str]:
    """Files that say what a list means, beside it."""
    return [f"{file.rpartition('/')[0]}/{_DURATIONS}"]


def _header(file: str) -> list[str]:
    first = next(iter(read_lines(file)), (0, ""))[1].split("\t")
    if missing := [name for name in _COLUMNS if name not in first]:
        raise ValueError(
            f"{file} is not a list of Common Voice: its first line has no column {' or '.join(missing)}; name one of "
            "its files such as train.tsv"
        )
    return first


def _row(header: Sequence[str], line: str) -> _Row:
    values = line.split("\t")
    if len(values) != len(header):
        raise ValueError(f"it has {len(values)} columns, and the header {len(header)}")
    talker, clip, sentence = (values[header.index(name)].strip() for name in _COLUMNS)
    if not clip:
        raise ValueError("it has no path")
    return _Row(talker, clip if split_ending(clip)[1] else f"{clip}.mp3", sentence)


def _seconds(file: str, clips: set[str]) -> dict[str, float]:
    """Those that are known of the clips."""
    if not filesystem.exists(file):
        return {}
    found = {}
    for _, line in read_lines(file):
        clip, _, milliseconds = line.partition("\t")
        if clip in clips and milliseconds.isdecimal():
            found[clip] = int(milliseconds) / 1000
    return found


def _utterance(row: _Row, folder: str, seconds: Mapping[str, float], channel: int) -> Utterance:
    uri, known = f"{folder}/clips/{row.clip}", seconds.get(row.clip, 0.0) - _NOT_SPOKEN
    return Utterance(
        id=split_ending(row.clip)[0],
        audio=uri,
        speaker=row.talker or uri,
        order=0,
        duration=known if known > 0 else math.inf,
        channel=channel,
        text=row.sentence,
    )
