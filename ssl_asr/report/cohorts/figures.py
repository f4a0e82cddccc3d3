"""Figures of cohorts: word error rates, the map of regions, and the numbers of clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from ssl_asr.fairness.clustering import STABLE, Clustering
from ssl_asr.fairness.cohort_table import MOST_ROWS
from ssl_asr.fairness.geography import east_longitude
from ssl_asr.fairness.regions import Geography, RegionBounds
from ssl_asr.fairness.results import Cohort, CohortResults
from ssl_asr.models.systems import STUDENT, TEACHER
from ssl_asr.report.svg import COLOUR, FAINT, GRID, INK, drawn

_MARGIN = 0.08  # of the map, around the speakers and the cuts
_LONGEST = 28  # letters of a name
_DARKEST, _LIGHTEST = 0.75, 0.08


def rates(results: CohortResults) -> str:
    """Word error rates of both parts and of the cohorts: measured with intervals, and when searched."""
    rows = [("bottom part", results.bottom), ("top part", results.top)]
    rows += [(each.name, each.part) for each in results.cohorts[:MOST_ROWS]]
    with drawn("cohort-rates", 5.6, 1.4 + 0.27 * len(rows)) as (figure, axes, out):
        axis = axes[0]
        for place, (_, part) in enumerate(rows):
            if part.interval is not None:
                limits = [100 * part.interval.low, 100 * part.interval.high]
                axis.plot(limits, [place, place], color=COLOUR[STUDENT], linewidth=2)
        places = range(len(rows))
        measured = [100 * part.wer for _, part in rows]
        searched = [100 * part.wer_searched for _, part in rows]
        axis.plot(measured, places, "o", color=COLOUR[STUDENT], label="held-out half, 95 % interval")
        axis.plot(searched, places, "o", color=FAINT, markerfacecolor="none", label="searched half")
        axis.axhline(1.5, color=GRID, linewidth=1)
        # A dollar sign in a name is no formula.
        axis.set_yticks(places, [_shorten(name).replace("$", r"\$") for name, _ in rows])
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        axis.set_xlabel("word error rate, %")
        figure.legend(loc="outside upper left", ncols=2)
    return out[0]


def _shorten(name: str) -> str:
    """To what fits beside the figure."""
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def regions_map(geography: Geography, cohorts: Sequence[Cohort]) -> str:
    """The regions by word error rate, and dots where two speakers or more live; east is to the right."""
    (south, north), (west, east) = _extent(geography)
    with drawn("cohort-map", 5.6, 4.2) as (_, axes, out):
        axis = axes[0]
        axis.grid(visible=False)
        measured = {each.name: each.part.wer for each in cohorts}
        for region in geography.regions:
            low = (west if region.west is None else _on(geography, region.west), _or(region.south, south))
            high = (east if region.east is None else _on(geography, region.east), _or(region.north, north))
            _draw_region(axis, region, (low, high), measured)
        for place in geography.places:
            size = 6 * math.sqrt(place.speakers)
            axis.scatter(_on(geography, place.longitude), place.latitude, size, color=INK, linewidths=0, zorder=2)
        axis.set_xlim(west, east)
        axis.set_ylim(south, north)
        axis.set_aspect(1 / max(math.cos(math.radians((south + north) / 2)), 0.1))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda degrees, _: f"{east_longitude(degrees):g}"))
        axis.set_xlabel("longitude")
        axis.set_ylabel("latitude")
    return out[0]


def _draw_region(
    axis: Axes,
    region: RegionBounds,
    corners: tuple[tuple[float, float], tuple[float, float]],
    measured: dict[str, float],
) -> None:
    (left, bottom), (right, top) = corners
    worst = max(measured.values(), default=0) or 1
    rate = measured.get(region.name)
    shade = 0.0 if rate is None else _LIGHTEST + (_DARKEST - _LIGHTEST) * rate / worst
    size = (right - left, top - bottom)
    axis.add_patch(Rectangle((left, bottom), *size, facecolor=COLOUR[TEACHER], alpha=shade, linewidth=0))
    axis.add_patch(Rectangle((left, bottom), *size, facecolor="none", edgecolor=FAINT, linewidth=1))
    text = region.name.removeprefix("region ") + ("" if rate is None else f": {100 * rate:.1f} %")
    axis.annotate(text, ((left + right) / 2, top), (0, -4), textcoords="offset points", ha="center", va="top")


def _extent(geography: Geography) -> tuple[tuple[float, float], tuple[float, float]]:
    """Latitudes and longitudes of all cuts and dots, with a margin."""
    regions, places = geography.regions, geography.places
    latitudes = [each for region in regions for each in (region.south, region.north) if each is not None]
    longitudes = [each for region in regions for each in (region.west, region.east) if each is not None]
    latitudes += [place.latitude for place in places]
    longitudes += [place.longitude for place in places]
    return _around(latitudes), _around([_on(geography, each) for each in longitudes])


def _around(degrees: list[float]) -> tuple[float, float]:
    low, high = min(degrees, default=0.0), max(degrees, default=0.0)
    margin = max(_MARGIN * (high - low), 0.5)
    return low - margin, high + margin


def _on(geography: Geography, longitude: float) -> float:
    """As the tree counts it: eastward from `west`."""
    return longitude if longitude >= geography.west else longitude + 360


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def numbers_of_clusters(clustering: Clustering) -> str:
    """Inertia and stability by the number of clusters."""
    with drawn("cohort-numbers", 4.6, 3.6, rows=2) as (_, axes, out):
        above, below = axes
        numbers = [each.clusters for each in clustering.tried]
        above.plot(numbers, [each.inertia for each in clustering.tried], "o-", color=COLOUR[STUDENT])
        known = [(each.clusters, each.stability) for each in clustering.tried if each.stability is not None]
        below.plot([number for number, _ in known], [value for _, value in known], "o-", color=COLOUR[STUDENT])
        below.axhline(STABLE, color=FAINT, linewidth=1, linestyle="--")
        above.set_ylabel("inertia")
        below.set_ylabel("stability")
        below.set_ylim(0, 1.05)
        below.set_xticks(numbers)
        below.set_xlabel("clusters")
    return out[0]
