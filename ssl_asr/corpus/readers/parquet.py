"""Reads Parquet files with audio, as Hugging Face's datasets are kept:

    id             audio                                 text          speaker_id  duration_ms
    84-121123-0    {bytes: <FLAC file>, path: "0.flac"}  "go do you"   84          1250

Only the columns that are named here are read for the list. Nothing is unpacked: an utterance names its row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.corpus.audio_places import row_of
from ssl_asr.corpus.folders import split_ending
from ssl_asr.corpus.parquet_audio import (
    COLUMN,
    AudioColumns,
    audio_columns,
    check_once,
    is_text,
    located,
    open_parquet,
)
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.containers import BYTES_A_LISTED_BYTE, container_pieces
from ssl_asr.corpus.readers.entries import WHOLE, Part, name_of, seconds_of, text_of
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

ENDING = ".parquet"
PIECE_BYTES = 1 << 30  # of a file; where all audio must be opened, this takes a minute
_LISTED_ROW = 150  # bytes that a row would have in a list
_TEXTS = ("normalized_text", "text", "sentence", "transcription", "transcript")
_IDS = ("id", "utt_id", "segment_id")
_SPEAKERS = ("speaker_id", "speaker", "client_id")
_SECONDS, _MILLISECONDS = ("duration", "audio_duration"), "duration_ms"
_BATCH_ROWS = 4096


def parquet_pieces(path: str) -> list[Piece]:
    """As `container_pieces`. How much a byte counts is told by the rows of the first file: without audio, or with
    short audio, files of some megabytes list a million utterances."""
    found = container_pieces(path, ENDING, PIECE_BYTES)
    if not found:
        return []
    first = found[0].uri
    counts = _bytes_a_listed_byte(first, max(piece.end for piece in found if piece.uri == first))
    return [replace(piece, bytes_a_listed_byte=counts) for piece in found]


def _bytes_a_listed_byte(file: str, size: int) -> float:
    """Never more than usual: recordings of hours have few rows, and are much work. A damaged file is told later."""
    try:
        with open_parquet(file) as parquet:
            rows = parquet.metadata.num_rows
    except ValueError:
        return BYTES_A_LISTED_BYTE
    return min(size / (_LISTED_ROW * max(rows, 1)), BYTES_A_LISTED_BYTE)


def read_parquet(path: str, channel: int = 0, *, part: Part = WHOLE) -> Reading:
    """Every row; of a `part`, those of the row groups that begin in these bytes. ValueError as `open_parquet`.

    Columns, of several the first that has a value: `normalized_text`, `text`, `sentence`, `transcription` and
    `transcript`; `speaker_id`, `speaker` and `client_id`; `duration` and `audio_duration` in seconds, `duration_ms`.
    An id is `id`, `utt_id` or `segment_id` where that is a string, for numbers often count sentences or start anew in
    each file. Without one it is the path of the audio without its ending, or else the file's name and the row.
    Without a speaker, the audio counts as one. `channel` is the channel of all.

    Where a row group has no bytes, `path` names files, from the Parquet file's folder on if it is relative.
    """
    file = filesystem.absolute(path)
    utterances, rejects = list[Utterance](), list[Reject]()
    with open_parquet(file) as parquet:
        audio = audio_columns(file, parquet.schema_arrow)
        columns = _columns(file, parquet.schema_arrow, audio)
        for number, row, has_data in _rows(parquet, audio, columns, part):
            try:
                if isinstance(row, ValueError):
                    raise row
                utterances.append(_utterance(file, number, row, has_data, channel))
            except ValueError as error:
                rejects.append(Reject(f"row {number}", f"{file} row {number}: {error}"))
    return Reading(tuple(utterances), tuple(rejects), files=frozenset([file]))


def _rows(
    parquet: pq.ParquetFile, audio: AudioColumns, columns: list[str], part: Part
) -> Iterator[tuple[int, dict[str, Any] | ValueError, bool]]:
    """The number of each row, what is read of it or why it can't be, and whether its audio may be in it."""
    begin, end = part
    first = 0
    for group in range(parquet.num_row_groups):
        about = parquet.metadata.row_group(group)
        if begin <= _start(about) < (math.inf if end is None else end):
            has_data = _has_data(about, audio)
            batches = parquet.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns) if columns else ()
            rows = (row for batch in batches for row in _values(batch))
            known: Iterator[dict[str, Any] | ValueError] = rows if columns else itertools.repeat({}, about.num_rows)
            yield from ((first + place, row, has_data) for place, row in enumerate(known))
        first += about.num_rows


def _values(batch: pa.RecordBatch) -> list[dict[str, Any] | ValueError]:
    """The rows of a batch; only where a string in it is not UTF-8, one by one."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [ValueError("a string in it is not UTF-8; write it as UTF-8")]
        return [each for row in range(batch.num_rows) for each in _values(batch.slice(row, 1))]


def _columns(file: str, schema: pa.Schema, audio: AudioColumns) -> list[str]:
    """Those that are there; ids only if they are strings. ValueError where one is there twice."""
    there = [name for name in (*_IDS, *_TEXTS, *_SPEAKERS, *_SECONDS, _MILLISECONDS) if name in schema.names]
    for name in there:
        check_once(file, schema, name)
    ids = [name for name in there if name in _IDS and is_text(schema.field(name).type)]
    others = [name for name in there if name not in _IDS]
    return [*ids, *others, *([audio.path] if audio.path else [])]


def _start(group: pq.RowGroupMetaData) -> int:
    column = group.column(0)
    return min(place for place in (column.dictionary_page_offset, column.data_page_offset) if place is not None)


def _has_data(group: pq.RowGroupMetaData, audio: AudioColumns) -> bool:
    """Whether some rows hold bytes, by the count of nulls; it is taken for granted where that is not told."""
    if audio.data is None:
        return False
    columns = (group.column(place) for place in range(group.num_columns))
    about = next(column for column in columns if column.path_in_schema == audio.data)
    known = about.statistics is not None and about.statistics.has_null_count
    return not known or about.statistics.null_count < group.num_rows


def _utterance(file: str, number: int, row: Mapping[str, Any], has_data: bool, channel: int) -> Utterance:
    found = row.get(COLUMN)
    path = found.get("path") if isinstance(found, dict) else found
    if has_data:
        audio = row_of(file, number)
    elif path:
        audio = located(path, file)
    else:
        raise ValueError("its audio is null; leave it out")
    milliseconds = seconds_of(row, _MILLISECONDS)
    seconds = milliseconds / 1000 if milliseconds is not None else seconds_of(row, *_SECONDS)
    speaker = name_of(row, *_SPEAKERS)
    return Utterance(
        id=name_of(row, *_IDS) or _name(path) or f"{_name(file.rpartition('/')[2])}-{number:09d}",
        audio=audio,
        speaker=audio if speaker is None else speaker,
        order=0,
        duration=math.inf if seconds is None else seconds,
        channel=channel,
        text=text_of(row, *_TEXTS),
    )


def _name(path: str | None) -> str:
    """A path without its beginning and its ending."""
    name = split_ending((path or "").rpartition("://")[2].lstrip("/"))[0]
    return name.removesuffix(ENDING)
