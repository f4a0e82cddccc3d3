"""Recordings in batches: what one task cuts, and what is lost with it where it is killed.

A batch ends where the recording's own content says so. So a recording that is added or dropped changes the batch that
it is in, and all others stay as they are, whichever list names them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_MOST = 4  # times the mean, and the recording that reaches it
_NUMBER_BITS = 59  # numbers of shards have 18 digits at most


def batch_ends(keys: Sequence[str], seconds: Sequence[float], mean: float) -> list[int]:
    """Where consecutive batches end, of recordings with these keys and lengths; the last end is their number.

    A batch lasts `mean` seconds in the mean: a recording ends one with a probability of its length by that, drawn
    from its key.
    """
    ends, length = list[int](), 0.0
    for place, (key, lasts) in enumerate(zip(keys, seconds, strict=True)):
        length += lasts
        if _share(key) * mean < lasts or length >= _MOST * mean:
            ends.append(place + 1)
            length = 0.0
    if keys and (not ends or ends[-1] < len(keys)):
        ends.append(len(keys))
    return ends


def batch_number(keys: Sequence[str]) -> int:
    """The same for equal recordings in the same order; two of a million others are equal with a chance of 1e-6."""
    return _hash("\n".join(keys)) >> (64 - _NUMBER_BITS)


def _share(key: str) -> float:
    """In [0, 1)."""
    return _hash(key) / 2**64


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
