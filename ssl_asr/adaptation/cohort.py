"""Which cohort an utterance is of, by its tags and by what `ssl-asr cohorts` has found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ssl_asr.fairness.attributes import GEO, TAG
from ssl_asr.fairness.places import LATITUDE, LONGITUDE, counted_from
from ssl_asr.fairness.regions import Geography, RegionBounds
from ssl_asr.fairness.results import CohortResults
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import cohorts_uri

BOTTOM = "bottom"
# Of the speaker and the tags of an utterance; None where it is in none.
CohortOf = Callable[[str, Mapping[str, str]], str | None]
_RESULTS = TypeAdapter(CohortResults)


def read_cohorts(run: str, folder: str) -> CohortResults:
    """ValueError where there are none yet, or a damaged file."""
    uri = cohorts_uri(folder)
    if not filesystem.exists(uri):
        raise ValueError(
            f"no cohorts are found yet in {folder}; run `ssl-asr cohorts {run} --by tag:NAME -o {folder}` first"
        )
    try:
        return _RESULTS.validate_json(filesystem.read_bytes(uri))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{uri} is no result of `ssl-asr cohorts` ({place}: {first['msg']}); make it again"
        ) from error


def cohorts_named(results: CohortResults, wanted: str) -> tuple[str, ...]:
    """The cohort of this name, or all of the bottom part; ValueError with the names that there are."""
    names = [each.name for each in results.cohorts]
    if wanted in names:
        return (wanted,)
    bottom = tuple(each.name for each in results.cohorts if each.bottom)
    if wanted == BOTTOM and bottom:
        return bottom
    raise ValueError(f"there is no cohort '{wanted}'; by {results.by} there are {', '.join([*names, BOTTOM])}")


def cohort_finder(results: CohortResults) -> CohortOf:
    """By tags alone. ValueError where these don't tell the cohort."""
    if results.by.startswith(TAG):
        name = results.by.removeprefix(TAG)
        return lambda _, tags: tags.get(name) or None
    if results.by == GEO and results.geography is not None:
        geography = results.geography
        return lambda _, tags: _region_of(geography, tags)
    raise ValueError(
        f"cohorts by {results.by} are known of the test speakers alone; adapt to cohorts by a tag, by geo or by "
        "voices, which training speech has too"
    )


def _region_of(geography: Geography, tags: Mapping[str, str]) -> str | None:
    if not (tags.get(LATITUDE) and tags.get(LONGITUDE)):
        return None
    latitude, longitude = (_degrees(tags, name, limit) for name, limit in ((LATITUDE, 90), (LONGITUDE, 180)))
    around = _counted(geography, longitude)
    for region in geography.regions:
        if _holds(region.south, latitude, region.north) and _within(geography, region, around):
            return region.name
    return None


def _degrees(tags: Mapping[str, str], name: str, limit: int) -> float:
    try:
        value = float(tags[name])
    except ValueError:
        value = math.nan
    if not -limit <= value <= limit:
        raise ValueError(
            f"an utterance has the tag {name} {tags[name][:30]}, which is no place on the earth; give {-limit} to "
            f"{limit} degrees"
        )
    return value


def _within(geography: Geography, region: RegionBounds, around: float) -> bool:
    west, east = (None if each is None else _counted(geography, each) for each in (region.west, region.east))
    return _holds(west, around, east)


def _counted(geography: Geography, longitude: float) -> float:
    return float(counted_from(geography.west, np.array([longitude]))[0])


def _holds(low: float | None, value: float, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value < high)
