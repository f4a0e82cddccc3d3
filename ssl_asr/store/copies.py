"""Degraded copies of a recording: their ids, and which rows of a slab have the same labels.

A recording and its copies lie in one slab. So what is known of the recording alone is stored once, in its own row.
"""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.store.utterance import CLEAN


def copy_id(recording: str, condition: str) -> str:
    """The id of the copy of `recording` in `condition`."""
    return f"{recording}@{condition}"


def recording_of(utterance: str, condition: str) -> str:
    """The id of the recording that an utterance was made from; that of a clean one is its own."""
    return utterance if condition == CLEAN else utterance.removesuffix(copy_id("", condition))


def label_rows(ids: Sequence[str], conditions: Sequence[str]) -> list[int]:
    """For each row of a slab, the row with its targets: that of its clean recording, and its own where there is none.

    There is none where the front end rejected the recording, or where speech is in one condition only.
    """
    rows = list(zip(ids, conditions, strict=True))
    clean = {name: place for place, (name, condition) in enumerate(rows) if condition == CLEAN}
    return [clean.get(recording_of(*row), place) for place, row in enumerate(rows)]
