"""Which rejects a stage lists for a person: some of each split. All of them are in the ledger, shard by shard."""

from __future__ import annotations

from collections.abc import Iterable

# Of a split, so that the many of one can't hide what another has lost. The driver holds no more of them.
MOST_LISTED = 25_000


def dev_and_test_first(splits: Iterable[str]) -> list[str]:
    """What results speak of comes before what may have millions."""
    return sorted(splits, key=lambda split: (split not in ("dev", "test"), split))
