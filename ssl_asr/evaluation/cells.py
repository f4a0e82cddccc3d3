"""The cells of a table of results: test sets, and groups of them, in their conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.store.utterance import OTHER_CHANNEL, Utterance

Cell = tuple[str, str]  # test set and condition, either may be ALL


def set_of(utterance: Utterance) -> str:
    """The talker or channel that the utterance's result is reported under."""
    return utterance.tags.get("set", "test")


def is_of_other_channel(utterance: Utterance) -> bool:
    """Whether its test set was recorded differently from the labeled speech: the tag `channel` says so."""
    return utterance.tags.get("channel") == OTHER_CHANNEL


@dataclass(frozen=True)
class Cells:
    """All cells of what was `said`: pairs of a test set and a condition, conditions in their order.

    Test sets that are not `other_channels` make up the headline. If these are some but not all, they get cells of
    their own together.
    """

    said: tuple[Cell, ...]
    other_channels: frozenset[str] = frozenset()

    @property
    def headline(self) -> str:
        """The name of the headline's cells: "bob + joe", or ALL."""
        same = [name for name in self.sets if name not in self.other_channels]
        return " + ".join(same) if 0 < len(same) < len(self.sets) else ALL

    @cached_property
    def sets(self) -> list[str]:
        """By name, other channels last."""
        return sorted({set_ for set_, _ in self.said}, key=lambda name: (name in self.other_channels, name))

    @cached_property
    def _members(self) -> Mapping[str, frozenset[str]]:
        """Test sets of everything that has cells, in the order of the cells."""
        each, all_sets = {name: frozenset([name]) for name in self.sets}, frozenset(self.sets)
        if self.headline == ALL:
            return {**each, ALL: all_sets}
        return {self.headline: all_sets - self.other_channels, **each, ALL: all_sets}

    def __iter__(self) -> Iterator[Cell]:
        """The headline, the sets, everything; each by condition and then in all conditions."""
        # Conversations are in ALL alone, which counts once.
        conditions = dict.fromkeys((*(condition for _, condition in self.said), ALL))
        wanted = ((name, condition) for name in self._members for condition in conditions)
        return (cell for cell in wanted if any(self.holds(cell, place) for place in self.said))

    def holds(self, cell: Cell, place: Cell) -> bool:
        """Whether what was said in the set and condition `place` belongs to `cell`."""
        return place[0] in self._members[cell[0]] and cell[1] in (place[1], ALL)
