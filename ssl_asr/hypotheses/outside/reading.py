"""Reads a piece of a file of another recogniser's words: a CTM, or JSON objects as `transcribe` prints them.

A CTM is cut at any line, for `words.joined_rows` joins the lines of an utterance again. A JSON value begins at a line
that begins with { or [ and ends before the next such line. That holds for an object a line, and for objects that are
indented. A file of another form is read as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from ssl_asr.corpus.pieces import MOST_PACKED_BYTES, PACKED_RATIO, Piece, pieces
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.evaluation.hypothesis_files import ctm_line, json_objects
from ssl_asr.hypotheses.outside.words import OutsideWord, WrittenRow, table_of
from ssl_asr.store import filesystem
from ssl_asr.store.errors import is_unreachable
from ssl_asr.store.patterns import FoundFile

_BEGINS = "{["  # of a JSON value, as the first sign of a line
_MOST_WHOLE = MOST_PACKED_BYTES * PACKED_RATIO
_FIRST_BYTES = 4096


class _NotJsonError(ValueError):
    """It may be JSON of several lines."""


def pieces_of(kind: str, files: Iterable[FoundFile], size: int) -> list[Piece]:
    """In the order of the files and of their lines. ValueError naming a file that can't be cut, and is too large."""
    return [
        piece
        for file in files
        for piece in pieces([file], by_lines=kind == "ctm" or not _is_long_list(file, size), size=size)
    ]


def read_piece(kind: str, piece: Piece, *, is_whole: bool) -> pa.Table:
    """A table of `words.SCHEMA`; ValueError naming the file, and where it is known the line, that is broken.

    `is_whole`: there is no other piece of the file.
    """
    try:
        return _READERS[kind](piece, is_whole)
    except UnicodeEncodeError:
        raise ValueError(
            f"{piece.uri} has half of a surrogate pair in a text, which is no character; write it again"
        ) from None
    except OSError as error:
        if is_unreachable(error):
            raise
        raise ValueError(f"{piece.uri} can't be read ({error}); see whether it is there") from None


def _is_long_list(file: FoundFile, size: int) -> bool:
    """A list's objects are not values of their own."""
    if file.size <= size:
        return False
    first = filesystem.read_bytes(file.uri, _FIRST_BYTES)
    if not first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        return False
    if file.size > _MOST_WHOLE:
        raise ValueError(
            f"{file.uri} is a JSON list of {file.size / 1e6:,.0f} MB, which can't be read in parts; write one object "
            f"a line: jq -c '.[]' {file.uri}"
        )
    return True


def _ctm(piece: Piece, is_whole: bool) -> pa.Table:
    return table_of(_ctm_rows(piece))


def _ctm_rows(piece: Piece) -> Iterator[WrittenRow]:
    def timed() -> Iterator[tuple[str, str, OutsideWord]]:
        place = _place(piece)
        for number, line in read_lines(piece.uri, piece.begin, piece.end):
            if (fields := ctm_line(line, place, number)) is not None:
                yield unquote(fields[0]), fields[1], _ctm_word(place, number, fields)

    for (name, channel), lines in groupby(timed(), lambda line: line[:2]):
        words = [word for _, _, word in lines]
        words.sort(key=lambda word: word.start or 0.0)
        yield WrittenRow(name, channel, words)


def _ctm_word(place: str, number: int, fields: list[str]) -> OutsideWord:
    start, duration, word = fields[2:5]
    unknown = len(fields) < 6 or fields[5] == "NA"
    try:
        begin, posterior = float(start), None if unknown else float(fields[5])
        return _checked(OutsideWord(word, begin, begin + float(duration), posterior))
    except ValueError:
        raise ValueError(
            f"{place}, line {number}: '{' '.join(fields)[:80]}' has a time or a confidence that is none; give "
            "seconds from 0 on, and a confidence of 0 to 1, or NA"
        ) from None


def _json(piece: Piece, is_whole: bool) -> pa.Table:
    try:
        return table_of(_json_rows(_values(piece, is_whole)))
    except _NotJsonError:
        if not is_whole:
            raise
    return table_of(_json_rows([(piece.uri, _whole_text(piece))]))


def _json_rows(values: Iterable[tuple[str, str]]) -> Iterator[WrittenRow]:
    """Of JSON texts, each with its place."""
    for place, text in values:
        for entry in _objects(text, place):
            known = ("id", "hypothesis") if "hypothesis" in entry else ("name", "text")
            name, said = (entry.get(key) for key in known)
            if not isinstance(name, str) or not isinstance(said, str):
                raise ValueError(
                    f"{place}: an entry lacks `id` and `hypothesis`, or `name` and `text`; write them as text"
                )
            try:
                yield WrittenRow(name, None, _json_words(entry, said))
            except (KeyError, TypeError, ValueError):
                raise ValueError(
                    f"{place}: the words of '{name}' have not `word`, `start`, `end` and `confidence` as `ssl-asr "
                    "transcribe` writes them; leave out `segments`, or write them so"
                ) from None


def _objects(text: str, place: str) -> list[dict[str, Any]]:
    try:
        return list(json_objects(text, place))
    except (ValueError, RecursionError) as error:
        raise _NotJsonError(str(error)) from None


def _values(piece: Piece, is_whole: bool) -> Iterator[tuple[str, str]]:
    """The JSON values that begin in the piece, each with its place; what is before the first is that of others."""
    held, first = list[str](), 1
    for number, line in read_lines(piece.uri, piece.begin, None if is_whole else piece.end):
        if line[0] in _BEGINS and held:
            yield f"{_place(piece)}, line {first}", "\n".join(held)
            held = []
        if held or line[0] in _BEGINS or not piece.begin:
            first = first if held else number
            held.append(line)
    if held and not is_whole:
        for _, line in read_lines(piece.uri, piece.end):
            if line[0] in _BEGINS:
                break
            held.append(line)
    if held:
        yield f"{_place(piece)}, line {first}", "\n".join(held)


def _whole_text(piece: Piece) -> str:
    """With its empty lines, for errors tell a line's number."""
    text, last = list[str](), 0
    for number, line in read_lines(piece.uri):
        text.append("\n" * (number - last - 1) + line)
        last = number
    return "\n".join(text)


def _json_words(values: Mapping[str, Any], text: str) -> tuple[OutsideWord, ...]:
    """With times where segments have the words of the text, and confidences where a run's file has them."""
    timed = tuple(_json_word(word) for segment in values.get("segments") or () for word in segment["words"])
    words = text.split()
    if [each.word for each in timed] == words:
        return timed
    confidences = values.get("confidences") or [None] * len(words)
    known = (None if each is None else float(each) for each in confidences)
    return tuple(_checked(OutsideWord(word, posterior=each)) for word, each in zip(words, known, strict=True))


def _json_word(values: Mapping[str, Any]) -> OutsideWord:
    times, posterior = (float(values["start"]), float(values["end"])), values.get("confidence")
    return _checked(OutsideWord(str(values["word"]), *times, None if posterior is None else float(posterior)))


def _checked(word: OutsideWord) -> OutsideWord:
    """ValueError if a value is not possible."""
    times = (word.start or 0.0, word.end or 0.0)
    if not 0 <= times[0] <= times[1] < math.inf or not 0 <= (word.posterior or 0.0) <= 1:
        raise ValueError
    return word


def _place(piece: Piece) -> str:
    return f"{piece.uri} after byte {piece.begin}" if piece.begin else piece.uri


_READERS: Mapping[str, Callable[[Piece, bool], pa.Table]] = {"ctm": _ctm, "jsonl": _json}
