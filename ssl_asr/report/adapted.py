"""The page of an adaptation: before and after, and the sweep of strengths as a curve of gap against forgetting."""

from __future__ import annotations

from markupsafe import Markup

from ssl_asr.adaptation.results import AdaptResults, SweepPoint
from ssl_asr.adaptation.table import change_rows, sentence, sweep_rows, unknown_rows
from ssl_asr.models.systems import STUDENT, TEACHER
from ssl_asr.report.svg import COLOUR, FAINT, drawn
from ssl_asr.report.templates import fill


def render_adapted(results: AdaptResults) -> str:
    """The HTML of the page. It has no name of a speaker, and no figure of one alone."""
    curve = sweep_curve(results)
    return fill(
        "adapted.html",
        results=results,
        sentence=sentence(results),
        sweep=sweep_rows(results),
        changes=change_rows(results),
        unknown=unknown_rows(results),
        curve=None if curve is None else Markup(curve),
    )


def gap_and_forgetting(results: AdaptResults) -> list[tuple[SweepPoint, float, float]]:
    """Of each point of the sweep, on dev, in points of word error rate.

    The gap is that of the adapted cohorts to the other cohorts; forgetting is what the others have lost. Speakers of
    no cohort have no part in either. Empty where dev has not both.
    """
    points = [(each, each.adapted, each.others) for each in results.sweep]
    known = [
        (each, inside, outside) for each, inside, outside in points if inside is not None and outside is not None
    ]
    if len(known) < len(points):
        return []
    before = known[0][2]
    return [(each, 100 * (inside - outside), 100 * (outside - before)) for each, inside, outside in known]


def sweep_curve(results: AdaptResults) -> str | None:
    """None where dev can't tell."""
    points = gap_and_forgetting(results)
    if not points:
        return None
    with drawn("adapted-sweep", 5.6, 3.8) as (_, axes, out):
        axis = axes[0]
        axis.plot([each[2] for each in points[1:]], [each[1] for each in points[1:]], "o-", color=COLOUR[STUDENT])
        axis.plot([points[0][2]], [points[0][1]], "o", color=FAINT)
        for point, gap, lost in points:
            chosen = point.strength == results.chosen
            text = "before" if point.strength is None else f"{point.strength:g}" + (", chosen" if chosen else "")
            if chosen:
                axis.plot([lost], [gap], "o", color=COLOUR[TEACHER], markersize=9)
            axis.annotate(text, (lost, gap), (6, 5), textcoords="offset points")
        axis.axvline(0, color=FAINT, linewidth=0.8)
        axis.set_xlabel("forgetting: WER of other cohorts less that before, points")
        axis.set_ylabel("gap, points")
    return out[0]
