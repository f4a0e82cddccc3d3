"""Plots of the report: word errors, learning curves and the ledger's statistics of the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ssl_asr.evaluation.error_rates import ALL, Reduction
from ssl_asr.evaluation.results import Results
from ssl_asr.models.systems import STUDENT, TEACHER, TITLES, stage_of
from ssl_asr.report.learning_curves import CurvePoint, LearningCurve
from ssl_asr.report.svg import COLOUR, FAINT, INK, SHADE, drawn
from ssl_asr.report.targets import TargetShard


def wer_bars(results: Results, set_: str) -> str:
    """Word error rate by condition for all systems on one test set, with 95 % intervals."""
    conditions = [row.condition for row in results.rows if row.system == STUDENT and row.set == set_]
    with drawn(f"wer-{set_}", 5.6, 3.4) as (figure, axes, out):
        axis = axes[0]
        systems, width = results.systems, 0.81 / len(results.systems)
        for place, system in enumerate(systems):
            rows = [results.row(system, set_, condition) for condition in conditions]
            rates = 100 * np.array([row.wer for row in rows])
            spread = 100 * np.array([[row.wer - row.low for row in rows], [row.high - row.wer for row in rows]])
            where = np.arange(len(rows)) + (place - (len(systems) - 1) / 2) * width
            # After sequence training, a model has its colour still.
            hatch = "" if stage_of(system) == system else "///"
            axis.bar(where, rates, 0.93 * width, color=COLOUR[system], label=TITLES[system], hatch=hatch)
            axis.errorbar(where, rates, np.maximum(spread, 0), fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        axis.set_xticks(range(len(conditions)), conditions, **_crowded(conditions))
        axis.grid(axis="x", visible=False)
        axis.set_ylabel("word error rate, %")
        figure.legend(loc="outside upper left", ncols=len(systems) if len(systems) <= 4 else 3, handlelength=1)
    return out[0]


def werr_forest(results: Results) -> str:
    """Word error rate reduction of the student over the baseline, with 95 % intervals, cell by cell."""
    cells = results.main_reductions()
    names = [_cell_name(results, each) for each in cells]
    with drawn("werr", 5.6, 1.2 + 0.27 * len(cells)) as (_, axes, out):
        axis = axes[0]
        for place, each in enumerate(cells):
            overall = (each.set, each.condition) in ((results.headline, ALL), (ALL, ALL))
            axis.plot([100 * each.low, 100 * each.high], [place, place], color=COLOUR[STUDENT], linewidth=2)
            axis.plot(100 * each.werr, place, "D" if overall else "o", color=COLOUR[STUDENT], markersize=7)
        axis.axvline(0, color=FAINT, linewidth=1)
        axis.set_yticks(range(len(cells)), names)
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        axis.set_xlabel("fewer word errors, %; left of 0 more", loc="right")
    return out[0]


def _cell_name(results: Results, cell: Reduction) -> str:
    if cell.set == cell.condition == ALL:
        return "everything"
    return f"{results.label(cell.set)}, {'all conditions' if cell.condition == ALL else cell.condition}"


def _crowded(names: Sequence[str]) -> dict[str, Any]:
    return {"rotation": 35, "ha": "right"} if len(names) > 6 else {}


def learning_curve(curve: LearningCurve) -> str:
    """Loss, frame accuracy and learning rate by block; blocks of unlabeled data are shaded.

    Of sMBR, the first is the expected accuracy, and no dev loss, which is of cross-entropy.
    """
    by_expectation = all(block.expected_accuracy is not None for block in curve.blocks)
    colour = COLOUR.get(curve.model, INK)  # a transducer has none of its own
    with drawn(f"curve-{curve.model}", 4.6, 6.0, rows=3) as (_, axes, out):
        loss, accuracy, rate = axes
        for blocks in _segments(curve.blocks):
            where = [block.block for block in blocks]
            unlabeled = blocks[0].source == "unlabeled"
            style: dict[str, Any] = {
                "color": colour,
                "linewidth": 1.6,
                "linestyle": (0, (1.5, 1)) if unlabeled else "-",
            }
            if len(blocks) == 1:
                style["marker"] = "."
            loss.plot(where, _losses(blocks, by_expectation), **style)
            known = [(block.block, block.frame_accuracy) for block in blocks if block.frame_accuracy is not None]
            accuracy.plot([block for block, _ in known], [100 * share for _, share in known], **style)
            rate.plot(where, [block.learning_rate for block in blocks], **style)
            for axis in axes:
                if unlabeled:
                    axis.axvspan(where[0] - 0.5, where[-1] + 0.5, color=SHADE, linewidth=0, zorder=0)
        _draw_dev(curve, None if by_expectation else loss, accuracy)
        _mark_whole(curve, axes)
        loss.set_ylabel("expected accuracy, %" if by_expectation else "loss, nats")
        accuracy.set_ylabel("frame accuracy, %")
        rate.set_ylabel("learning rate")
        rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        rate.set_xlabel("block")
    return out[0]


def _losses(blocks: Sequence[CurvePoint], by_expectation: bool) -> list[float]:
    if by_expectation:
        return [100 * block.expected_accuracy for block in blocks if block.expected_accuracy is not None]
    return [block.loss for block in blocks]


def _draw_dev(curve: LearningCurve, loss: Axes | None, accuracy: Axes) -> None:
    for axis, points in (
        (loss, [(each.block, each.loss) for each in curve.dev]),
        (
            accuracy,
            [(each.block, 100 * each.frame_accuracy) for each in curve.dev if each.frame_accuracy is not None],
        ),
    ):
        if points and axis is not None:
            axis.plot(*zip(*points, strict=True), "o-", color=INK, markersize=3.5, linewidth=0.8, label="dev")
            axis.legend(loc="best", handlelength=1.5)


def _mark_whole(curve: LearningCurve, axes: Sequence[Axes]) -> None:
    first = next((block.block for block in curve.blocks if block.whole), None)
    if first is not None:
        for axis in axes:
            axis.axvline(first - 0.5, color=FAINT, linewidth=1, linestyle=":")


def _segments(blocks: Sequence[CurvePoint]) -> list[list[CurvePoint]]:
    """Blocks cut where the source or the phase changes."""
    segments: list[list[CurvePoint]] = []
    for block in blocks:
        if segments and (segments[-1][-1].phase, segments[-1][-1].source) == (block.phase, block.source):
            segments[-1].append(block)
        else:
            segments.append([block])
    return segments


def target_histograms(shards: Sequence[TargetShard], k: int) -> list[str]:
    """Kept probability mass, entropy and bytes a frame over the shards, each as one small SVG."""
    columns = (
        (f"probability kept by the top {k}, %", [100 * shard.kept_mass for shard in shards]),
        ("entropy of the kept targets, nats", [shard.entropy_nats for shard in shards]),
        ("bytes a 30 ms frame on disk", [shard.bytes_per_frame for shard in shards]),
    )
    return [_histogram(label, values) for label, values in columns]


def _histogram(label: str, values: Sequence[float]) -> str:
    with drawn(label, 4.2, 2.4) as (_, axes, out):
        bins = min(30, max(5, round(len(values) ** 0.5) * 2))
        spread = max(values) - min(values)
        margin = max(spread * 0.05, abs(values[0]) * 1e-3, 1e-6)
        axes[0].hist(values, bins=bins, range=(min(values) - margin, max(values) + margin), color=COLOUR[TEACHER])
        axes[0].axvline(float(np.mean(values)), color=INK, linewidth=1, linestyle="--")
        axes[0].ticklabel_format(useOffset=False)
        axes[0].locator_params(axis="x", nbins=5)
        axes[0].locator_params(axis="y", integer=True)
        axes[0].set_xlabel(label)
        axes[0].set_ylabel("shards")
    return out[0]
