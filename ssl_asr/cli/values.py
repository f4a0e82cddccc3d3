"""Values of options that argparse checks, each refused in one sentence."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], int]:
    """An integer of this range, for `add_argument(type=...)`."""

    def value(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} to {most}")
        return int(text)

    return value


def at_least(least: float) -> Callable[[str], float]:
    """A finite number, for `add_argument(type=...)`."""

    def value(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if not least <= found < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least:g} or more")
        return found

    return value
