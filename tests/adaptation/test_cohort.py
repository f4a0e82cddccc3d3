"""Tags are put into the regions of a tree as the tree itself does, also across the 180th meridian."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.adaptation.cohort import cohort_finder, cohorts_named
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.geography import geography_of
from ssl_asr.fairness.partition import Positions
from ssl_asr.fairness.places import counted_from, west_of
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.scored_table import Counts
from tests.fairness.made_up import QUICK, table_of


def found_by(by: str) -> CohortResults:
    rates = [0.1] * 20 + [0.5] * 20
    tags = [{"region": "north", "latitude": "60", "longitude": str(170 + n)} for n in range(10)]
    tags += [{"region": "north", "latitude": "61", "longitude": str(-179 + n)} for n in range(10)]
    tags += [{"region": "south", "latitude": str(n), "longitude": "-179.5"} for n in range(20)]
    return find_cohorts(table_of(rates, tags), by, QUICK)


def test_a_tag_tells_its_value() -> None:
    cohort_of = cohort_finder(found_by("tag:region"))
    assert [cohort_of("who", tags) for tags in ({"region": "south"}, {"region": ""}, {})] == ["south", None, None]


def test_a_place_is_in_the_region_that_holds_it() -> None:
    results = found_by("geo")
    cohort_of = cohort_finder(results)
    (worst,) = (each.name for each in results.cohorts if each.bottom)
    assert cohort_of("who", {"latitude": "3.5", "longitude": "-179.5"}) == worst
    assert cohort_of("who", {"latitude": "60", "longitude": "179.9"}) not in (None, worst)
    assert cohort_of("who", {"latitude": "60"}) is None
    for latitude in ("north", "nan", "91"):
        with pytest.raises(ValueError, match=f"latitude {latitude}, which is no place on the earth"):
            cohort_of("who", {"latitude": latitude, "longitude": "1"})


GEO = found_by("geo")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_each_position_is_in_the_region_of_the_tree(seed: int) -> None:
    random = np.random.default_rng(seed)
    around = random.uniform(-180, 180)
    longitudes = (around + random.uniform(0, 40, 30) + 180) % 360 - 180
    latitudes = random.uniform(-90, 90, 30)
    west = west_of(longitudes)
    degrees = np.column_stack([latitudes, counted_from(west, longitudes)])
    counts = Counts(np.full(30, 100), random.integers(0, 60, 30))
    positions = Positions(degrees, west)
    partition = positions.partition(counts, Least(100, 2), 1)
    assert partition is not None
    half = np.arange(30) % 2 == 0
    geography = geography_of(positions, partition, half, counts, Draws(9, 1))
    cohort_of = cohort_finder(replace(GEO, geography=geography))
    for latitude, longitude, label in zip(latitudes, longitudes, positions.labels(partition), strict=True):
        assert cohort_of("who", {"latitude": str(latitude), "longitude": str(longitude)}) == partition.names[label]


def test_names_are_told_and_the_bottom_part_is_all_of_it() -> None:
    results = found_by("tag:region")
    assert cohorts_named(results, "bottom") == cohorts_named(results, "south") == ("south",)
    with pytest.raises(ValueError, match="no cohort 'west'; by tag:region there are south, north, bottom"):
        cohorts_named(results, "west")
