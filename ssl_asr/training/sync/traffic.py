"""Bytes that one worker sends when a payload is exchanged in a ring."""

from __future__ import annotations


def all_reduce_bytes(workers: int, payload: float) -> float:
    """A ring all-reduce: every worker sends 2 (N - 1) / N times the payload."""
    return 2 * (workers - 1) / workers * payload


def all_gather_bytes(workers: int, payload: float) -> float:
    """A ring all-gather: every worker's payload passes through every other worker but the last."""
    return (workers - 1) * payload
