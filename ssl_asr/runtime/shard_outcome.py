"""What came of the shards of a stage: which utterances were rejected, and how many were lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssl_asr.runtime.reject_list import dev_and_test_first
from ssl_asr.store.ledger import Reject


@dataclass(frozen=True)
class SplitOutcome:
    """`lost` of `rows` utterances have no row in the store, or none that is of use.

    `rejected` are utterances and whole shards; `rejects` lists all of these shards, and some of the utterances.
    """

    rejects: list[Reject]
    rejected: int
    lost: int
    rows: int


@dataclass(frozen=True)
class Outcome:
    splits: Mapping[str, SplitOutcome]

    @property
    def rejects(self) -> list[Reject]:
        return [reject for split in dev_and_test_first(self.splits) for reject in self.splits[split].rejects]

    @property
    def rejected(self) -> int:
        return sum(each.rejected for each in self.splits.values())

    @property
    def lost(self) -> int:
        return sum(each.lost for each in self.splits.values())

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.splits.values())

    @property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Lost utterances and all, by split."""
        return {split: (each.lost, each.rows) for split, each in self.splits.items()}
