"""The picture of a study: each comparison's interval, its seeds and the criterion; above them a curve of compute."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure, SubFigure

from ssl_asr.report.studies.compute_curve import HEIGHT, draw_curve
from ssl_asr.report.target_plot import FAINT, STYLE
from ssl_asr.studies.outcome import Compared, Outcome
from ssl_asr.studies.verdict import limits_of

_INK, _CRITERION = "#1f6f8b", "#c2571a"


def draw_study(outcome: Outcome) -> bytes:
    """A PNG with a line for each comparison."""
    curve, height = outcome.study.compute_curve, 1.6 + 0.55 * len(outcome.compared)
    heights = [height] if curve is None else [HEIGHT, height]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.0, sum(heights)), layout="constrained")
        # Each part has its own margins, for the names of comparisons are long.
        *above, below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        if curve is not None:
            draw_curve(above[0].subplots(), outcome, curve)
        _draw_comparisons(below, outcome.compared)
        figure.suptitle(outcome.study.question, x=0.01, ha="left", fontsize=11, fontweight="bold")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _draw_comparisons(figure: SubFigure, compared: Sequence[Compared]) -> None:
    axis = figure.subplots()
    for place, each in enumerate(compared):
        low, high = limits_of(each.overall)
        axis.plot([100 * low, 100 * high], [place, place], color=_INK, linewidth=3, alpha=0.5, zorder=2)
        seeds = [100 * werr for werr in each.by_seed.values()]
        axis.plot(seeds, [place] * len(seeds), "o", color=_INK, markersize=4, alpha=0.8, zorder=3)
        axis.plot(100 * each.mean, place, "D", color=_INK, markersize=8, zorder=4)
        axis.plot([each.comparison.at_least] * 2, [place - 0.3, place + 0.3], color=_CRITERION, linewidth=2)
    axis.axvline(0, color=FAINT, linewidth=1)
    axis.set_ylim(len(compared) - 0.5, -0.5)
    axis.set_yticks(range(len(compared)), [f"{each.comparison.name}\n{each.verdict}" for each in compared])
    counted = dict.fromkeys(each.comparison.figure.replace("_", " ") or "word errors" for each in compared)
    less = "fewer word errors" if [*counted] == ["word errors"] else f"less {', '.join(counted)}"
    units = " or ".join(dict.fromkeys(each.comparison.unit for each in compared))
    said = f"{less}, {units}: seeds, mean and interval; the criterion in orange"
    figure.supxlabel(said, fontsize=9, color=FAINT)  # below the names too, for it may be long
