"""What commands tell a person, beside their output."""

from __future__ import annotations

import sys


def say(sentence: str) -> None:
    print(f"ssl-asr: {sentence}", file=sys.stderr, flush=True)
