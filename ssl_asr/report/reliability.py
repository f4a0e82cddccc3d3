"""The reliability diagram: a teacher's accuracy against its confidence."""

from __future__ import annotations

import numpy as np

from ssl_asr.labelling.calibration_file import Summary
from ssl_asr.models.systems import TEACHER
from ssl_asr.report.svg import COLOUR, FAINT, INK, SHADE, drawn


def reliability(summary: Summary) -> str:
    """Accuracy over confidence with the diagonal of a perfect teacher, and below it the frames of each bin."""
    filled = [each for each in summary.bins if each.frames]
    total = sum(each.frames for each in filled)
    with drawn("reliability", 4.6, 4.4, rows=2, ratios=(3, 1)) as (_, axes, out):
        above, below = axes
        above.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle="--")
        for each in filled:
            centre = 50 * (each.low + each.high)
            above.bar(centre, 100 * each.accuracy, 9.2, color=COLOUR[TEACHER])
            # The shaded gap is what the expected calibration error averages.
            above.bar(centre, 100 * (each.confidence - each.accuracy), 9.2, 100 * each.accuracy, color=SHADE)
            above.plot([centre - 4.6, centre + 4.6], [100 * each.confidence] * 2, color=INK, linewidth=1.2)
            below.bar(centre, 100 * each.frames / total, 9.2, color=COLOUR[TEACHER])
        above.set_xlim(0, 100)
        above.set_ylim(0, 100)
        above.set_ylabel("frames right, %")
        below.set_ylabel("frames, %")
        below.set_xlabel("largest posterior, %")
        below.set_xticks(np.arange(0, 101, 20))
    return out[0]
