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
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.kaldi_pieces import Tables, tables_of
from ssl_asr.corpus.readers.kaldi_sources import KaldiSource, Sources, told_pipes
from ssl_asr.corpus.readers.kaldi_tables import Table, check_ids_meet, split_fields
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

_OF_IDS = ("wav.scp", "segments", "text", "utt2spk")
_TWICE = "utterances are audio that another utterance is too"


@dataclass(frozen=True, slots=True)
class _Segment:
    """`offset` and `duration` are seconds; `channel` is None where the source doesn't say one."""

    name: str
    recording: str
    offset: float = 0.0
    duration: float = math.inf
    channel: int | None = None


def read_kaldi(piece: Piece, channel: int = 0, *, pipes: bool = False, current: str | None = None) -> Reading:
    """Every utterance of a piece of `kaldi_pieces`; without segments each recording is an utterance.

    A relative path in wav.scp is taken from the current directory, as in Kaldi, or else from the data directory; if
    that is in a bucket, from there alone. Of a pipe that only decodes one file, that file is read; others are run
    only with `pipes`, and rejected without. `channel` is the default, which segments (a fifth field: 0, 1, A or B)
    and pipes that choose one override. reco2file_and_channel, which names the sides of calls for scoring, chooses
    none: of a file with several channels that only it tells apart, the utterances are rejected. So are those with
    two texts, files or speakers, and lines of segments that hold no such times. The speaker of an utterance that
    utt2spk lacks is its recording.

    ValueError without wav.scp, or with a table that can't be read. Of a directory in one piece, also where two tables
    have no id in common, or if all recordings are pipes that are not run; in a large one these are counted, or
    rejected one by one. `current` stands for the current directory.
    """
    tables = tables_of(piece)
    segments, rejects = _segments(tables)
    sources = Sources(
        tables.folder,
        tables["wav.scp"],
        tables["reco2file_and_channel"].values,
        channel,
        pipes,
        current or os.getcwd(),
    )
    told = _checked_whole(tables, segments, sources) if tables.is_whole else {}
    utterances, unread = _utterances(segments, sources, tables["text"], tables["utt2spk"])
    counts = {**told, **_counts(tables, segments), _TWICE: _same_audio(utterances)}
    told = {what: count for what, count in counts.items() if count}
    return Reading(tuple(utterances), (*rejects, *unread), told, files=frozenset(sources.missing))


def _checked_whole(tables: Tables, segments: Iterable[_Segment], sources: Sources) -> dict[str, int]:
    """What is to be told of a directory that is read at once; ValueError where its tables don't belong together."""
    listing, known = tables.listing, tables["wav.scp"].values
    for name in ("text", "utt2spk"):
        check_ids_meet(tables.file(name), tables[name].values, tables.file(listing), tables[listing].values)
    recordings = {segment.recording for segment in segments}
    if listing == "segments":
        check_ids_meet(tables.file(listing), recordings, tables.file("wav.scp"), known)
    return {**told_pipes(sources), "recordings without a segment": len(known.keys() - recordings)}


def _segments(tables: Tables) -> tuple[list[_Segment], list[Reject]]:
    table, file = tables[tables.listing], tables.file(tables.listing)
    if tables.listing == "wav.scp":
        return [_Segment(name, name) for name in table.values], []
    segments, rejects = [], []
    for name in table.values:
        try:
            segments.append(_segment(name, table.get(name) or "", file))
        except ValueError as error:
            rejects.append(Reject(name, str(error)))
    return segments, rejects


def _segment(name: str, line: str, file: str) -> _Segment:
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


def _counts(tables: Tables, segments: Iterable[_Segment]) -> dict[str, int]:
    """What is listed in one table and not in another."""
    listed, known, speakers = (tables[name].values for name in (tables.listing, "wav.scp", "utt2spk"))
    clashes = {key for name in _OF_IDS for key in tables[name].clashes}
    counts = {
        "ids with two files, segments, texts or speakers": len(clashes),
        "texts without audio": len(tables["text"].values.keys() - listed.keys()),
        "entries of utt2spk without audio": len(speakers.keys() - listed.keys()),
        "segments of recordings that wav.scp lacks": sum(segment.recording not in known for segment in segments),
    }
    if "utt2spk" in tables.present:
        lacking = sum(not speakers.get(name) for name in listed)
        counts["utterances without a speaker in utt2spk, whose recording counts as one"] = lacking
    return counts


def _same_audio(utterances: Iterable[Utterance]) -> int:
    """How many have another's audio, as where both sides of a call are read from its first channel."""
    found = Counter((each.audio, each.channel, each.offset, each.duration) for each in utterances)
    return sum(count - 1 for count in found.values())
