"""The scored utterances of a file: lines of JSON with what was said, what was recognised, who spoke, and tags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ssl_asr.evaluation.scoring import ScoredUtterance, count_edits
from ssl_asr.fairness.scored_table import ScoredTable, TaggedUtterance
from ssl_asr.store import filesystem

KEYS = ("id", "reference", "hypothesis", "speaker")


def table_of_file(uri: str) -> ScoredTable:
    """Of docs/formats.md, "Cohorts"; ValueError naming the file and the line of what is wrong."""
    found: list[TaggedUtterance] = []
    seen: set[str] = set()
    try:
        text = filesystem.read_bytes(uri).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{uri} is not UTF-8 text; convert it") from None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            each = _parsed(json.loads(line))
        except json.JSONDecodeError:
            raise ValueError(f"{uri}, line {number} is not JSON; write one object a line") from None
        except ValueError as error:
            raise ValueError(f"{uri}, line {number}: {error}") from None
        if each is None:
            continue
        if each.scored.id in seen:
            raise ValueError(f"{uri}, line {number}: '{each.scored.id}' was there before; keep one line of it")
        seen.add(each.scored.id)
        found.append(each)
    return ScoredTable(uri, PurePath(uri).stem, found)


def _parsed(row: Any) -> TaggedUtterance | None:
    """None where no text is known."""
    if not isinstance(row, dict):
        raise ValueError("this is no JSON object; write one object a line")
    if row.get("reference", "") is None:
        return None
    for key in KEYS:
        if not isinstance(row.get(key), str):
            raise ValueError(f"`{key}` is missing or is no text; a line needs {', '.join(KEYS)}, and tags")
    if not row["id"] or not row["speaker"]:
        raise ValueError("`id` and `speaker` may not be empty; cohorts are of speakers")
    tags = _tags(row.get("tags") or {})
    set_ = row.get("set") if isinstance(row.get("set"), str) else None
    tags = tags if set_ is None else {"set": set_, **tags}
    edits = count_edits(row["reference"].split(), row["hypothesis"].split())
    scored = ScoredUtterance(row["id"], row["id"], tags.get("set", "test"), "", edits, row["speaker"])
    return TaggedUtterance(scored, tags)


def _tags(values: Any) -> Mapping[str, str]:
    """Numbers are taken as their text."""
    if not isinstance(values, dict):
        raise ValueError("`tags` is no object; write it as names and values")
    found = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"the tag '{name}' is neither text nor a number; correct it")
        found[_printable(name)] = _printable(str(value))
    return found


def _printable(text: str) -> str:
    """What would control a terminal becomes a question mark."""
    return "".join(each if each.isprintable() else "?" for each in text)
