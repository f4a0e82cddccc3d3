"""Where speakers live: the tags `latitude` and `longitude`, checked, as positions that a tree can cut."""

from __future__ import annotations

import numpy as np

from ssl_asr.fairness.cuts import Float, short_between
from ssl_asr.fairness.partition import Positions
from ssl_asr.fairness.scored_table import MainValues, ScoredTable, Speakers, TaggedUtterance, main_values

LATITUDE, LONGITUDE = "latitude", "longitude"
_LIMITS = {LATITUDE: 90.0, LONGITUDE: 180.0}


def places_of(table: ScoredTable, speakers: Speakers) -> MainValues:
    """Of each speaker as text; ValueError where a coordinate is no number or outside the earth, or without any."""
    found = main_values(table, speakers.utterances, lambda each: _place(table.source, each))
    if all(value is None for value in found.values):
        raise ValueError(
            f"no utterance of {table.source} has the tags {LATITUDE} and {LONGITUDE}; add both, in degrees, "
            "or divide the speakers by another tag"
        )
    return found


def positions_of(places: list[str]) -> Positions:
    """Of the places of speakers."""
    degrees = np.array([[float(each) for each in place.split()] for place in places])
    west = west_of(degrees[:, 1])
    return Positions(np.column_stack([degrees[:, 0], counted_from(west, degrees[:, 1])]), west)


def west_of(longitudes: Float) -> float:
    """A longitude in the widest gap on the way around the earth; -180 where that gap has the 180th meridian."""
    around = np.unique(longitudes % 360)
    after = np.append(around[1:], around[0] + 360)
    widest = int((after - around).argmax())
    low, high = float(around[widest]), float(after[widest])
    if 0 < (180 - low) % 360 < high - low:
        return -180.0
    return (short_between(low, high) + 180) % 360 - 180


def counted_from(west: float, longitudes: Float) -> Float:
    """Degrees from `west` on, below `west` + 360; `longitudes` themselves where these are such."""
    return np.where(longitudes >= west, longitudes, longitudes + 360)


def _place(source: str, utterance: TaggedUtterance) -> str | None:
    texts = [utterance.tags.get(name) for name in _LIMITS]
    if None in texts or "" in texts:
        return None
    return " ".join(repr(_degrees(source, utterance, name, limit)) for name, limit in _LIMITS.items())


def _degrees(source: str, utterance: TaggedUtterance, name: str, limit: float) -> float:
    text, which = utterance.tags[name], f"{source}: {name} of '{utterance.scored.id}'"
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{which} is '{text[:30]}', which is no number; write degrees, such as 37.4") from None
    if not -limit <= value <= limit:  # nor is it a number if it is "nan"
        raise ValueError(f"{which} is {text[:30]}, outside the earth; give -{limit:g} to {limit:g} degrees")
    return value
