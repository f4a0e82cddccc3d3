"""Words that another recogniser has written: as rows of a table, and as words of a run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from ssl_asr.hypotheses.content import Words
from ssl_asr.lang.text import Alphabet, named
from ssl_asr.store.hypotheses import FRAME_SECONDS, TimedWord

# What a row has of an utterance: lists as long as `words`, null where a value is not known. A CTM has a `channel`.
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("channel", pa.string()),
        ("words", pa.list_(pa.string())),
        ("starts", pa.list_(pa.float64())),  # seconds
        ("ends", pa.list_(pa.float64())),
        ("posteriors", pa.list_(pa.float64())),
    ]
)
FILE = "file"  # column beside them while the files' rows are joined: the file's place among those of the source
LISTS = ("words", "starts", "ends", "posteriors")
_BATCH = 4096  # rows that are objects at once
# Seconds by which words may end after the audio: a recogniser may count the padding of its last frames.
_BEYOND = 0.5


@dataclass(frozen=True, slots=True)
class OutsideWord:
    """As it was written; times are seconds from the utterance's begin."""

    word: str
    start: float | None = None
    end: float | None = None
    posterior: float | None = None


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """Words of an utterance; of a CTM, lines that follow each other, so it may have several rows."""

    id: str
    channel: str | None
    words: Sequence[OutsideWord]


def table_of(rows: Iterable[WrittenRow]) -> pa.Table:
    """A table of SCHEMA. ValueError where a text can't be written as UTF-8."""
    tables, left = [SCHEMA.empty_table()], iter(rows)
    while some := list(islice(left, _BATCH)):
        columns = {
            "id": [row.id for row in some],
            "channel": [row.channel for row in some],
            "words": [[each.word for each in row.words] for row in some],
            "starts": [[each.start for each in row.words] for row in some],
            "ends": [[each.end for each in row.words] for row in some],
            "posteriors": [[each.posterior for each in row.words] for row in some],
        }
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables)


def words_by_id(table: pa.Table) -> dict[str, tuple[OutsideWord, ...]]:
    """Of a table with one row an utterance."""
    columns = (table[name].to_pylist() for name in LISTS)
    return {
        name: tuple(map(OutsideWord, *lists)) for name, *lists in zip(table["id"].to_pylist(), *columns, strict=True)
    }


def joined_rows(table: pa.Table, files: Sequence[str]) -> pa.Table:
    """One row for each utterance of `table`, which has the rows of all `files` in their order, and a column FILE.

    The words of several rows of a CTM are in the order of their starts. ValueError naming an utterance that is there
    twice, or has two channels.
    """
    places = defaultdict[str, list[int]](list)
    for place, name in enumerate(table["id"].to_pylist()):
        places[name].append(place)
    if len(places) == table.num_rows:
        return table
    once = table.take(pa.array([found[0] for found in places.values() if len(found) == 1], pa.int64()))
    several = (table.take(pa.array(found)).to_pylist() for found in places.values() if len(found) > 1)
    return pa.concat_tables([once, pa.Table.from_pylist([_one(rows, files) for rows in several], table.schema)])


def _one(rows: Sequence[Mapping[str, Any]], files: Sequence[str]) -> dict[str, Any]:
    name, (first, *others) = rows[0]["id"], (files[row[FILE]] for row in rows)
    for other in others:
        if other != first:
            raise ValueError(f"{other} has '{name}', which is in {first} too; keep one")
    channels = {row["channel"] for row in rows}
    if None in channels:
        raise ValueError(f"{first} has '{name}' twice; keep one")
    if len(channels) > 1:
        raise ValueError(f"{first} has two channels of '{name}'; give each an id of its own, as the set has")
    words = [word for row in rows for word in zip(*(row[each] for each in LISTS), strict=True)]
    words.sort(key=_start)
    return {**rows[0], **dict(zip(LISTS, map(list, zip(*words, strict=True)), strict=True))}


def _start(word: tuple[str, float, float, float | None]) -> float:
    return word[1]


def words_within(written: Sequence[OutsideWord], num_frames: int, alphabet: Alphabet) -> Words:
    """The words as the run's texts have them, with their frames; a word with a hyphen becomes several.

    ValueError where they can't be those of an utterance of `num_frames`, or hold signs that texts may not have.
    """
    text, seconds = " ".join(each.word for each in written), num_frames * FRAME_SECONDS
    if unknown := alphabet.unknown_characters(text):
        raise ValueError(f"its words hold {named(unknown)}; write {alphabet.advice}")
    ends = [each.end for each in written if each.end is not None]
    if ends and max(ends) > seconds + _BEYOND:
        raise ValueError(f"its words end at {max(ends):.2f} s, but it lasts {seconds:.2f} s; is it other audio?")
    return tuple(part for each in written for part in _parts(each, num_frames, alphabet.normalise(each.word).split()))


def _parts(written: OutsideWord, num_frames: int, words: Sequence[str]) -> Iterator[TimedWord]:
    """The words that one written word becomes, its time divided evenly."""
    if written.start is None or written.end is None:
        yield from (TimedWord(word, posterior=written.posterior) for word in words)
        return
    begin = min(_frame(written.start), num_frames)
    length = min(max(_frame(written.end), begin), num_frames) - begin
    for place, word in enumerate(words):
        first, end = (begin + length * number // len(words) for number in (place, place + 1))
        yield TimedWord(word, first, end, written.posterior)


def _frame(seconds: float) -> int:
    """The first frame whose middle is not before this time."""
    return math.ceil(round(seconds / FRAME_SECONDS - 0.5, 6))
