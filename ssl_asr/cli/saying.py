"""What commands tell a person, beside their output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl_asr.store.ledger import Reject


def say(sentence: str) -> None:
    """On standard error. What would control a terminal is shown as an escape: names come from files of strangers."""
    shown = "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in sentence)
    print(f"ssl-asr: {shown}", file=sys.stderr, flush=True)


def told(reject: Reject) -> str:
    """Which audio it is and what is wrong; a reason that begins so, or names a line of a list, says which itself."""
    names_line = " " in reject.id and f" {reject.id} " in reject.reason
    says_which = names_line or reject.reason.startswith((f"{reject.id}:", f"{reject.id} "))
    return reject.reason if says_which else f"{reject.id}: {reject.reason}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
