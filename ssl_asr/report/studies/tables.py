"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table_of(lines: Iterable[Sequence[str]]) -> str:
    """Of rows of cells, the headings and the row of dashes among them."""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
