"""Braces in a pattern: {000..123} stands for each of these numbers, {a,b} for each of these words, as in a shell."""

from __future__ import annotations

import itertools
import math
import re

MOST_NAMES = 1_000_000  # that braces may stand for
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{(?!\])([^{}]*,[^{}]*)\}")  # "[{]" is a brace as it is


def in_full(pattern: str) -> list[str]:
    """All that a pattern with braces stands for, each once; other signs stay as they are.

    ValueError if they are more than MOST_NAMES.
    """
    if not _count(pattern) <= MOST_NAMES:  # of infinities it is no number
        raise ValueError(f"{pattern}: its braces stand for more than {MOST_NAMES:,} names; write * in their place")
    return _in_full(pattern)


def _in_full(pattern: str) -> list[str]:
    parts = [[pattern]]
    if braces := BRACES.search(pattern):
        first, last, words = braces.groups()
        inside = words.split(",") if words is not None else _numbers(first, last)
        parts = [[pattern[: braces.start()]], inside, _in_full(pattern[braces.end() :])]
    return list(dict.fromkeys(map("".join, itertools.product(*parts))))


def _count(pattern: str) -> float:
    """How many names its braces stand for. As floats, which are not limited in digits."""
    counts = (
        words.count(",") + 1 if words is not None else abs(float(last) - float(first)) + 1
        for first, last, words in (braces.groups() for braces in BRACES.finditer(pattern))
    )
    return math.prod(counts)


def _numbers(first: str, last: str) -> list[str]:
    """As a shell writes them: as wide as the wider one if one begins with 0."""
    width = max(len(first), len(last)) if first.startswith("0") or last.startswith("0") else 0
    step = 1 if int(first) <= int(last) else -1
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]
