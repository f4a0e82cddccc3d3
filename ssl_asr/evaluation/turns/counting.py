"""Turn-count accuracy: in how many groups as many turns were emitted as were spoken (Sklyar et al. 2022).

Latencies of ends are of those that were emitted, so the share of the others is counted too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.evaluation.turns.emissions import Group

MANY = 2  # groups of more turns are counted apart, and only they have latencies


@dataclass(frozen=True)
class TurnCounts:
    """Groups, and those with the right count; the same of groups of more than two turns.

    `ends` are the `<eot>` that all groups should have, one for each turn but the last. `missed_ends` are how many
    less came, by group: at least so many were missed. Both are 0 of a network that knows no `<eot>`.
    """

    groups: int
    right: int
    groups_of_more: int
    right_of_more: int
    ends: int = 0
    missed_ends: int = 0

    @property
    def accuracy(self) -> float | None:
        """A share; None without a group."""
        return self.right / self.groups if self.groups else None

    @property
    def accuracy_of_more(self) -> float | None:
        """A share of the groups of more than two turns; None without one."""
        return self.right_of_more / self.groups_of_more if self.groups_of_more else None

    @property
    def missed_end_share(self) -> float | None:
        """Of the ends; None without one."""
        return self.missed_ends / self.ends if self.ends else None


def count_turns(groups: Sequence[Group], *, has_ends: bool = True) -> TurnCounts:
    """`has_ends` says whether the network knows `<eot>`."""
    more = [group for group in groups if len(group.turns) > MANY]
    right, right_of_more = (sum(group.is_counted_right for group in each) for each in (groups, more))
    ends = [(max(len(group.turns) - 1, 0), group.ends) for group in groups] if has_ends else []
    missed = sum(max(wanted - found, 0) for wanted, found in ends)
    return TurnCounts(len(groups), right, len(more), right_of_more, sum(wanted for wanted, _ in ends), missed)
