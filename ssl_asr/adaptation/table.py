"""An adaptation as tables for a terminal: what dev chose among, and test before and after."""

from __future__ import annotations

import textwrap

from ssl_asr.adaptation.measures import Change
from ssl_asr.adaptation.results import AdaptResults, SweepPoint
from ssl_asr.evaluation.bootstrap import LEAST_SPEAKERS
from ssl_asr.evaluation.table import aligned

EMBEDDING = "embedding"
_WIDTH = 118
_TITLES = ("speakers", "before", "after", "difference")
_AND_ALL = " and all other training speech; strength 0 is the same training without an embedding"
_UNKNOWN = (
    " The model is told the cohorts of the speakers of dev and test; the last table has its words where it is told "
    "none, as for a speaker of whom no cohort is known."
)


def format_adapted(results: AdaptResults) -> str:
    unknown = unknown_rows(results)
    tables = [sweep_rows(results), change_rows(results), *([] if unknown is None else [unknown])]
    told = textwrap.wrap(sentence(results), _WIDTH)
    return "\n\n".join("\n".join(lines) for lines in [*map(aligned, tables), told])


def sentence(results: AdaptResults) -> str:
    """What the figures mean."""
    before, chosen = results.sweep[0].mean, next(each for each in results.sweep if each.strength == results.chosen)
    worse = before is not None and chosen.mean is not None and chosen.mean >= before
    return ("On dev no strength is better than the model before. " if worse else "") + (
        f"{results.model} was adapted to {', '.join(results.cohorts)} (by {results.by}) by {results.method}, on "
        f"{results.hours:.2f} h of {results.speakers:,} speakers of the training speech"
        f"{_AND_ALL if results.method == EMBEDDING else ''}. {results.system} was chosen "
        "on dev by the mean of the rates of adapted and other cohorts. Test figures are of the half of the test "
        "speakers in which no cohort was searched; the mean, the maximum and the variance (in squared "
        "points) count each cohort once. In brackets: "
        f"95 % bootstrap intervals over speakers of the difference; with less than {LEAST_SPEAKERS} there is none."
        + ("" if results.unknown is None else _UNKNOWN)
    )


def sweep_rows(results: AdaptResults) -> list[list[str]]:
    """With a row of titles."""
    rows = [["dev, WER %", "", "adapted cohorts", "other cohorts", "mean", "no cohort"]]
    return rows + [_point(point, point.strength == results.chosen) for point in results.sweep]


def _point(point: SweepPoint, chosen: bool) -> list[str]:
    name = "before" if point.strength is None else f"strength {point.strength:g}"
    return [name, "chosen" if chosen else "", *map(_rate, (point.adapted, point.others, point.mean, point.of_none))]


def change_rows(results: AdaptResults) -> list[list[str]]:
    """With a row of titles."""
    return [["test, WER %", *_TITLES], *map(_change, results.changes)]


def unknown_rows(results: AdaptResults) -> list[list[str]] | None:
    """The same where the model is told no cohort; None of a model that takes none."""
    if results.unknown is None:
        return None
    return [["test, no cohort known, WER %", *_TITLES], *map(_change, results.unknown)]


def _change(each: Change) -> list[str]:
    rates = [f"{each.scale * rate:.1f}" for rate in (each.before, each.after)]
    return [each.name, f"{each.speakers:,}", *rates, difference_text(each)]


def difference_text(each: Change) -> str:
    """After less before, with its interval."""
    limits, scale = each.difference, each.scale
    inside = "" if limits is None else f" [{scale * limits.low:+.1f}, {scale * limits.high:+.1f}]"
    return f"{scale * (each.after - each.before):+.1f}{inside}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
