"""Attributes of speakers, and how each divides the speakers into cohorts and these into a bottom and a top part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from ssl_asr.fairness.cuts import Float, Least, worse_groups
from ssl_asr.fairness.scored_table import Bool, Counts, Int
from ssl_asr.fairness.tree import Tree, grow


@dataclass(frozen=True)
class Partition:
    """`bottom` [cohorts] marks the cohorts understood worse. Of places, the cohorts are the regions of `tree`."""

    names: Sequence[str]
    bottom: Bool
    tree: Tree | None = None


class Attribute(Protocol):
    """Something that is known of each speaker, in rows."""

    def rows(self, which: Int | Bool) -> Self: ...

    def partition(self, counts: Counts, least: Least, seed: int) -> Partition | None:
        """The partition of these speakers with the largest difference; None if no cut leaves the least."""
        ...

    def labels(self, partition: Partition) -> Int:
        """The cohort of each speaker."""
        ...


@dataclass(frozen=True)
class Values:
    """One of the values `names` for each speaker: `codes` [speakers] are their numbers."""

    names: Sequence[str]
    codes: Int

    def rows(self, which: Int | Bool) -> Values:
        return Values(self.names, self.codes[which])

    def partition(self, counts: Counts, least: Least, seed: int) -> Partition | None:
        bottom = _bottom(counts, self.codes, len(self.names), least)
        return None if bottom is None else Partition(self.names, bottom)

    def labels(self, partition: Partition) -> Int:
        return self.codes


@dataclass(frozen=True)
class Positions:
    """Latitude and longitude [speakers, 2] in degrees; longitudes are counted eastward on from `west`.

    So they may exceed 180, and no speakers lie on both sides of a jump.
    """

    degrees: Float
    west: float

    def rows(self, which: Int | Bool) -> Positions:
        return Positions(self.degrees[which], self.west)

    def partition(self, counts: Counts, least: Least, seed: int) -> Partition | None:
        tree = grow(self.degrees, counts, least, seed)
        if tree is None:
            return None
        labels = tree.labels(self.degrees)
        bottom = _bottom(counts, labels, len(tree.regions), least)
        assert bottom is not None, "each region has the least, so each cut between regions leaves it"
        return Partition([f"region {number + 1}" for number in range(len(tree.regions))], bottom, tree)

    def labels(self, partition: Partition) -> Int:
        assert partition.tree is not None, "a partition by places has a tree"
        return partition.tree.labels(self.degrees)


def _bottom(counts: Counts, labels: Int, cohorts: int, least: Least) -> Bool | None:
    """Cohorts without any of these speakers, whose WER is not known, are in the top part."""
    sums, speakers = counts.by_label(labels, cohorts), np.bincount(labels, minlength=cohorts)
    return worse_groups(sums.words, sums.errors, speakers, least)
