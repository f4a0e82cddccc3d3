"""Entries of manifests in JSON lines, and what their values may be.

An entry is one JSON object. What is wrong with it is a ValueError that says so in a clause: "its offset is nan".
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.store import filesystem
from ssl_asr.store.errors import is_unreachable

Part = tuple[int, int | None]  # bytes of a file, to its end where the second is None
WHOLE: Part = (0, None)


def entry_of(line: str) -> dict[str, Any]:
    """The object that a line holds; ValueError if it is anything else."""
    try:
        found = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"it is a JSON {type(found).__name__}, not an object")
    return found


def entries_of(
    file: str, form: str, part: Part = WHOLE, check: Callable[[str, str], None] | None = None
) -> Iterator[tuple[str, str]]:
    """Lines of a manifest that begin in the bytes `part`, each with its place: "line 7".

    ValueError if there is no such file, or its first line is not the whole of a JSON object; `check` looks at that
    line too, given the file and it.
    """
    begin, end = part
    is_first = not begin
    try:
        for number, line in read_lines(file, begin, end):
            if is_first:
                is_first = False
                check_one_a_line(file, line)
                if check is not None:
                    check(file, line)
            yield f"line {number}" + (f" after byte {begin}" if begin else ""), line
    except OSError as error:
        if is_unreachable(error):
            raise
        raise ValueError(f"{file}: there is no such {form} manifest") from None


def check_one_a_line(file: str, first: str) -> None:
    """ValueError if `first`, the first line of `file`, begins JSON that is not one object a line."""
    begin = first.strip()
    if begin.startswith("["):
        raise ValueError(f"{file} is a JSON array, not one object a line; convert it: jq -c '.[]' {file}")
    if begin == "{":
        raise ValueError(f"{file} has JSON objects of several lines, not one a line; convert it: jq -c . {file}")


def given(row: Mapping[str, Any], *keys: str) -> Any:
    """The value of the first of `keys` that has one, else None. Null and "" are no values; 0 is one."""
    for key in keys:
        value = row.get(key)
        if value is not None and value != "":
            return value
    return None


def name_of(row: Mapping[str, Any], *keys: str) -> str | None:
    """A string or a whole number, as a string; None if it is not given."""
    value = given(row, *keys)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"its {_key(row, keys)} is {_shown(value)}, neither a string nor a whole number")
    return _writable(str(value))


def text_of(row: Mapping[str, Any], *keys: str) -> str | None:
    """A string, which may be empty; None if it is not given."""
    value = given(row, *keys)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its {_key(row, keys)} is {_shown(value)}, not a string")
    return next((row[key] for key in keys if row.get(key) == ""), None) if value is None else _writable(value)


def number_of(row: Mapping[str, Any], *keys: str) -> float | None:
    """A finite number, also as a string; None if it is not given."""
    value = given(row, *keys)
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"its {_key(row, keys)} is {_shown(value)}, not a number")
    return number


def seconds_of(row: Mapping[str, Any], *keys: str) -> float | None:
    """A finite number that is not negative; None if it is not given."""
    number = number_of(row, *keys)
    if number is not None and number < 0:
        raise ValueError(f"its {_key(row, keys)} is {number:g}, which is negative")
    return number


def channel_of(row: Mapping[str, Any], key: str) -> int | None:
    """A channel, counted from 0; None if it is not given."""
    number = number_of(row, key)
    if number is not None and (number < 0 or number != int(number)):
        raise ValueError(f"its {key} is {number:g}, not a whole number from 0 on")
    return None if number is None else int(number)


def object_of(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object; empty if it is not given."""
    value = row.get(key)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"its {key} is {_shown(value)}, not an object")
    return value or {}


def objects_of(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects; empty if it is not given."""
    value = row.get(key)
    if value is not None and not (isinstance(value, list) and all(isinstance(each, dict) for each in value)):
        raise ValueError(f"its {key} is {_shown(value)}, not a list of objects")
    return value or []


def tags_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The object of strings `tags`; empty if it is not given."""
    tags = given(row, "tags")
    if tags is None:
        return {}
    if not isinstance(tags, dict) or not all(isinstance(each, str) for pair in tags.items() for each in pair):
        raise ValueError(f"its tags are {_shown(tags)}, not an object of strings")
    return {_writable(key): _writable(value) for key, value in tags.items()}


class Places:
    """Finds where relative paths lead to: to the first of `folders` that has them, else below the first.

    `missing` are all places of those that none of the folders has.
    """

    def __init__(self, *folders: str) -> None:
        self.folders = folders
        self.missing = set[str]()

    def find(self, audio: str) -> str:
        """An absolute path; a URI is left as it is."""
        if filesystem.is_uri(audio):
            return audio
        path = os.path.expanduser(audio)
        if os.path.isabs(path):
            return path
        places = [os.path.join(folder, path) for folder in self.folders]
        found = next((place for place in places if os.path.exists(place)), None)
        if found is None:
            self.missing.update(places)
        return found or places[0]


def _key(row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next(key for key in keys if given(row, key) is not None)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _writable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{value!r} holds half of a surrogate pair, which is no character") from None
    return value
