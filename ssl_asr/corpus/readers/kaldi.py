"""Reads a Kaldi data directory: wav.scp and, if present, segments, text, utt2spk and reco2file_and_channel.

    wav.scp    call1 /data/call1.wav           recording and file, or a pipe: call1 flac -c -d -s call1.flac |
    segments   call1-ann-0 call1 0.50 3.25 A   utterance, recording, begin and end in seconds, and perhaps a channel
    text       call1-ann-0 good morning        utterance and text
    utt2spk    call1-ann-0 ann                 utterance and speaker

Without segments each line of wav.scp is an utterance.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ssl_asr.corpus.readers.kaldi_sources import KaldiSource, Sources, told_pipes
from ssl_asr.corpus.readers.kaldi_tables import Table, check_ids_meet, read_table, split_fields
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

_OF_IDS = ("wav.scp", "segments", "text", "utt2spk")
TABLES = (*_OF_IDS, "reco2file_and_channel")

_TWICE = "utterances are audio that another utterance is too"


@dataclass(frozen=True, slots=True)
class _Segment:
    """`offset` and `duration` are seconds; `channel` is None where the source doesn't say one."""

    name: str
    recording: str
    offset: float = 0.0
    duration: float = math.inf
    channel: int | None = None


def read_kaldi(path: str, channel: int = 0, *, pipes: bool = False, current: str | None = None) -> Reading:
    """Every utterance of the directory; without segments each recording is an utterance.

    A relative path in wav.scp is taken from the current directory, as in Kaldi, or else from the data directory. Of a
    pipe that only decodes one file, that file is read; others are run only with `pipes`, and rejected without.
    `channel` is the default, which segments (a fifth field: 0, 1, A or B) and pipes that choose one override.
    reco2file_and_channel, which names the sides of calls for scoring, chooses none: of a file with several channels
    that only it tells apart, the utterances are rejected. So are those with two texts, files or speakers, and
    lines of segments that hold no such times. The speaker of an utterance that utt2spk lacks is its recording.

    ValueError without wav.scp, with a table that can't be read, where two tables have no id in common, or if
    all recordings are pipes that are not run. `current` stands for the current directory.
    """
    folder = Path(path).absolute()
    if not (folder / "wav.scp").is_file():
        raise ValueError(f"{folder} is not a Kaldi data directory: it has no wav.scp")
    tables = {name: read_table(folder / name) for name in TABLES}
    listing = "segments" if (folder / "segments").is_file() else "wav.scp"
    listed = tables[listing].values
    for name in ("text", "utt2spk"):
        check_ids_meet(folder / name, tables[name].values, folder / listing, listed)
    segments = [_Segment(name, name) for name in listed]
    rejects: list[Reject] = []
    if listing == "segments":
        segments, rejects = _segments(folder / listing, tables[listing])
        recordings = {segment.recording for segment in segments}
        check_ids_meet(folder / listing, recordings, folder / "wav.scp", tables["wav.scp"].values)
    sources = Sources(
        folder, tables["wav.scp"], tables["reco2file_and_channel"].values, channel, pipes, current or os.getcwd()
    )
    not_run = told_pipes(sources)
    utterances, unread = _utterances(segments, sources, tables["text"], tables["utt2spk"])
    counts = {**not_run, **_counts(folder, listed, segments, tables), _TWICE: _same_audio(utterances)}
    told = {what: count for what, count in counts.items() if count}
    return Reading(tuple(utterances), (*rejects, *unread), told, files=frozenset(sources.missing))


def _segments(file: Path, table: Table) -> tuple[list[_Segment], list[Reject]]:
    segments, rejects = [], []
    for name in table.values:
        try:
            segments.append(_segment(name, table.get(name) or "", file))
        except ValueError as error:
            rejects.append(Reject(name, str(error)))
    return segments, rejects


def _segment(name: str, line: str, file: Path) -> _Segment:
    """Of `recording start end [channel]`; ValueError for what Kaldi's extract-segments would skip."""
    fields = split_fields(line)
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
        (channel,) = map(_channel, fields[3:]) if len(fields) > 3 else (None,)
    except (IndexError, ValueError):
        raise ValueError(
            f"{file}: the line of {name} is not `utterance recording start end [channel]`; fix it"
        ) from None
    # An end of -1 means the end of the recording.
    if not 0 <= start < math.inf or not (end == -1 or start < end < math.inf):
        raise ValueError(f"{file}: the line of {name} goes from {start:g} to {end:g} s; fix these times")
    return _Segment(name, recording, start, math.inf if end == -1 else end - start, channel)


def _channel(given: str) -> int:
    if given in ("A", "B"):
        return "AB".index(given)
    if not given.isdecimal():
        raise ValueError
    return int(given)


def _utterances(
    segments: Iterable[_Segment], sources: Sources, texts: Table, speakers: Table
) -> tuple[list[Utterance], list[Reject]]:
    """The segments with all that is known of them, in time order, and those whose audio, text or speaker is not."""
    utterances, rejects = [], []
    in_order = sorted(segments, key=lambda segment: (segment.recording, segment.offset))
    for recording, group in groupby(in_order, key=lambda segment: segment.recording):
        source = sources.find(recording)
        for segment in group:
            try:
                if isinstance(source, ValueError):
                    raise source
                utterances.append(_utterance(segment, source, texts, speakers))
            except ValueError as error:
                rejects.append(Reject(segment.name, str(error)))
    return utterances, rejects


def _utterance(segment: _Segment, source: KaldiSource, texts: Table, speakers: Table) -> Utterance:
    return Utterance(
        id=segment.name,
        audio=source.audio,
        speaker=speakers.get(segment.name) or segment.recording,
        order=0,
        offset=segment.offset,
        duration=segment.duration,
        channel=source.channel_of(segment.channel),
        text=texts.get(segment.name),
    )


def _counts(
    folder: Path, listed: Mapping[str, str], segments: Iterable[_Segment], tables: Mapping[str, Table]
) -> dict[str, int]:
    """What is listed in one table and not in another."""
    recordings = {segment.recording for segment in segments}
    known, speakers = tables["wav.scp"].values, tables["utt2spk"].values
    clashes = {key for name in _OF_IDS for key in tables[name].clashes}
    counts = {
        "ids with two files, segments, texts or speakers": len(clashes),
        "texts without audio": len(tables["text"].values.keys() - listed.keys()),
        "entries of utt2spk without audio": len(speakers.keys() - listed.keys()),
        "segments of recordings that wav.scp lacks": sum(segment.recording not in known for segment in segments),
        "recordings without a segment": len(known.keys() - recordings),
    }
    if (folder / "utt2spk").is_file():
        lacking = sum(not speakers.get(name) for name in listed)
        counts["utterances without a speaker in utt2spk, whose recording counts as one"] = lacking
    return counts


def _same_audio(utterances: Iterable[Utterance]) -> int:
    """How many have another's audio, as where both sides of a call are read from its first channel."""
    found = Counter((each.audio, each.channel, each.offset, each.duration) for each in utterances)
    return sum(count - 1 for count in found.values())
