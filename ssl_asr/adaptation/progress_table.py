"""How far an adaptation is, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.adaptation.progress import PlannedAdaptation, TrainingProgress
from ssl_asr.evaluation.table import aligned
from ssl_asr.progress import clock


def format_planned(plan: PlannedAdaptation, rows: Sequence[TrainingProgress]) -> str:
    """A line for each training, and what they are together."""
    table = [["training", "", "speech heard", "left"]]
    table += [[each.name, each.state, _heard(each.heard, each.hours), _left(each.seconds_left)] for each in rows]
    done = sum(each.state == "done" for each in rows)
    table.append(["together", f"{done} of {len(rows)}", *_together(rows)])
    told = (
        f"Times are of training alone, at the speed of its blocks so far or of those of {plan.model}; the models are "
        "then decoded on dev, and one on test."
    )
    return "\n".join([*aligned(table), "", told])


def progress_line(rows: Sequence[TrainingProgress]) -> str:
    """All trainings in one line: "0.42 of 5.00 h heard, about 3 min 05 s left"."""
    heard, left = _together(rows)
    return f"{heard} heard" + ("" if left == "-" else f", {left} left")


def _together(rows: Sequence[TrainingProgress]) -> tuple[str, str]:
    known = [each.seconds_left for each in rows if each.seconds_left is not None]
    left = sum(known) if len(known) == len(rows) else None
    return _heard(sum(each.heard for each in rows), sum(each.hours for each in rows)), _left(left)


def _heard(heard: float, hours: float) -> str:
    return f"{heard:,.2f} of {hours:,.2f} h"


def _left(seconds: float | None) -> str:
    """ "-" where there is none, or where it is not known."""
    return f"about {clock(seconds)}" if seconds else "-"
