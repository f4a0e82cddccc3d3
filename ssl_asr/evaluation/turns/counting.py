"""Turn-count accuracy: in how many groups as many turns were emitted as were spoken (Sklyar et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.evaluation.turns.emissions import Group

MANY = 2  # groups of more turns are counted apart, and only they have latencies


@dataclass(frozen=True)
class TurnCounts:
    """Groups, and those with the right count; the same of groups of more than two turns."""

    groups: int
    right: int
    groups_of_more: int
    right_of_more: int

    @property
    def accuracy(self) -> float | None:
        """A share; None without a group."""
        return self.right / self.groups if self.groups else None

    @property
    def accuracy_of_more(self) -> float | None:
        """A share of the groups of more than two turns; None without one."""
        return self.right_of_more / self.groups_of_more if self.groups_of_more else None


def count_turns(groups: Sequence[Group]) -> TurnCounts:
    more = [group for group in groups if len(group.turns) > MANY]
    right, right_of_more = (sum(group.is_counted_right for group in each) for each in (groups, more))
    return TurnCounts(len(groups), right, len(more), right_of_more)
