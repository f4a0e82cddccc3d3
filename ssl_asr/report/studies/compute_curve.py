"""The picture of word errors over compute: what each system costs, and what it saves and loses beside another."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.axes import Axes

from ssl_asr.report.target_plot import FAINT
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.studies.outcome import Outcome
from ssl_asr.studies.study import FLOPS, ComputeCurve

HEIGHT = 4.4  # inches
_COLOURS = ("#1f6f8b", "#8a5a9e", "#5b8c3a", "#9a7b2d")
_PUBLISHED = "#c2571a"


@dataclass(frozen=True)
class Point:
    """MFLOPs for a second of audio, mean of the seeds; word error rate in percent, its mean and its 95 % interval."""

    name: str
    mflops: float
    wer: float
    low: float
    high: float


def points_of(outcome: Outcome, systems: Iterable[str]) -> list[Point]:
    """Of systems, VARIANT/SYSTEM."""
    flops = {f"{each.variant}/{each.system}": each.values for each in outcome.figures if each.figure == FLOPS}
    errors = {f"{each.variant}/{each.system}": each for each in outcome.errors}
    points = []
    for name in systems:
        found = errors[name]
        limits = (found.mean if limit is None else limit for limit in (found.low, found.high))
        mflops = statistics.fmean(flops[name].values()) / FRAME_SECONDS
        points.append(Point(found.system, mflops, 100 * found.mean, *(100 * each for each in limits)))
    return points


def published_points(curve: ComputeCurve, beside: Point) -> list[Point]:
    """Where the paper's savings and losses would put its systems beside ours; without intervals."""
    found = []
    for name, (saved, more) in curve.published.items():
        wer = beside.wer * (1 + more / 100)
        found.append(Point(f"published: {name}", beside.mflops * (1 - saved / 100), wer, wer, wer))
    return found


def draw_curve(axis: Axes, outcome: Outcome, curve: ComputeCurve) -> None:
    """Every system with its interval; the lines of `curve` join theirs."""
    (beside,) = points_of(outcome, [curve.beside])
    _draw_line(axis, [beside], beside.name, FAINT)
    for number, (label, systems) in enumerate(curve.lines.items()):
        _draw_line(axis, points_of(outcome, systems), label, _COLOURS[number % len(_COLOURS)])
    for point in published_points(curve, beside):
        axis.plot(point.mflops, point.wer, "D", markerfacecolor="none", color=_PUBLISHED, markersize=8)
        _name(axis, point, _PUBLISHED, right=False)
    axis.margins(x=0.15)  # room for names
    axis.set_xlim(left=0)
    axis.set_xlabel("MFLOPs of the encoder for a second of audio")
    axis.set_ylabel("word errors, %")
    axis.legend(frameon=False, loc="best")


def _draw_line(axis: Axes, points: list[Point], label: str, colour: str) -> None:
    found = sorted(points, key=lambda each: each.mflops)
    below, above = ([max(each.wer - each.low, 0) for each in found], [max(each.high - each.wer, 0) for each in found])
    places = ([each.mflops for each in found], [each.wer for each in found])
    axis.errorbar(*places, yerr=(below, above), fmt="o-", color=colour, capsize=3, linewidth=1.5, label=label)
    for point in found:
        _name(axis, point, colour)


def _name(axis: Axes, point: Point, colour: str, *, right: bool = True) -> None:
    offset, side = ((6, 5), "left") if right else ((-8, -3), "right")
    place = (point.mflops, point.wer)
    axis.annotate(point.name, place, xytext=offset, textcoords="offset points", fontsize=8, color=colour, ha=side)
