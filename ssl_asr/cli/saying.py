"""What commands tell a person, beside their output."""

from __future__ import annotations

import sys


def say(sentence: str) -> None:
    """On standard error. What would control a terminal is shown as an escape: names come from files of strangers."""
    shown = "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in sentence)
    print(f"ssl-asr: {shown}", file=sys.stderr, flush=True)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
