"""The page of cohorts: makes one self-contained HTML file from the results."""

from __future__ import annotations

from markupsafe import Markup

from ssl_asr.fairness.cohort_table import MOST_ROWS, bounds_text, cut_text, sentences
from ssl_asr.fairness.results import CohortResults
from ssl_asr.report.cohorts.figures import numbers_of_clusters, rates, regions_map
from ssl_asr.report.cohorts.voices import draw_voices
from ssl_asr.report.templates import fill


def render_cohorts(results: CohortResults) -> str:
    """The HTML of the page. It has no name of a speaker, and no figure of one alone."""
    geography, clustering = results.geography, results.clustering
    return fill(
        "cohorts.html",
        results=results,
        sentences=list(sentences(results)),
        rates=Markup(rates(results)),
        map=None if geography is None else Markup(regions_map(geography, results.cohorts)),
        bounds={} if geography is None else {each.name: bounds_text(each) for each in geography.regions},
        cuts=[] if geography is None else [(each, cut_text(each)) for each in geography.cuts],
        numbers=None if clustering is None else Markup(numbers_of_clusters(clustering)),
        voices=None if clustering is None else Markup(draw_voices(clustering.map)),
        map_shares=None if clustering is None else (clustering.map.share_x, clustering.map.share_y),
        shown=results.cohorts[:MOST_ROWS],
    )
