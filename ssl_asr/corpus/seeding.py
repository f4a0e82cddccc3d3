"""Random numbers that depend only on the seed and a name: the same for every order, machine and number of workers."""

from __future__ import annotations

import hashlib

import numpy as np


def digest(seed: int, *names: str) -> int:
    """64 bits that look random, from `seed` and `names`."""
    return int.from_bytes(hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()[:8], "big")


def fraction(seed: int, *names: str) -> float:
    """A number in [0, 1)."""
    return (digest(seed, *names) >> 11) / 2**53


def generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng(digest(seed, *names))
