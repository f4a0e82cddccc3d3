"""What was found of where speakers live: plain values, as `cohorts.json` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CutResult:
    """A cut of the geographic tree. `difference` is the word error rate below `at` less that from there on.

    `difference` and `p` are of the held-out half, None where this has not two speakers on both sides; those
    `_searched` are of the half in which the cut was chosen. `depth` is 0 of the first cut.
    """

    depth: int
    axis: str
    at: float
    difference_searched: float
    p_searched: float
    difference: float | None
    p: float | None


@dataclass(frozen=True)
class RegionBounds:
    """Degrees; None where the region is open. `west` may be above `east` across the 180th meridian."""

    name: str
    south: float | None
    north: float | None
    west: float | None
    east: float | None


@dataclass(frozen=True)
class Place:
    """A square of a coarse grid in which two speakers or more live: its middle in degrees."""

    latitude: float
    longitude: float
    speakers: int


@dataclass(frozen=True)
class Geography:
    """`west` is where longitudes begin, to be counted eastward; -180 unless speakers live around that meridian."""

    west: float
    cuts: Sequence[CutResult]
    regions: Sequence[RegionBounds]
    places: Sequence[Place]
