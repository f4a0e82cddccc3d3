"""The reliability diagram: how often a teacher's labels, or a system's words, are right, by their confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssl_asr.labelling.calibration import Bin
from ssl_asr.report.svg import COLOUR, FAINT, INK, SHADE, drawn


def reliability(bins: Sequence[Bin], system: str, what: str = "frames", confidence: str = "largest posterior") -> str:
    """Accuracy over confidence with the diagonal of a perfect system; below, the share of `what` in each bin."""
    filled = [each for each in bins if each.frames]
    total, colour = sum(each.frames for each in filled), COLOUR[system]
    with drawn(f"reliability-{system}-{what}", 4.6, 4.4, rows=2, ratios=(3, 1)) as (_, axes, out):
        above, below = axes
        above.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle="--")
        for each in filled:
            centre = 50 * (each.low + each.high)
            above.bar(centre, 100 * each.accuracy, 9.2, color=colour)
            # The shaded gap is what the expected calibration error averages.
            above.bar(centre, 100 * (each.confidence - each.accuracy), 9.2, 100 * each.accuracy, color=SHADE)
            above.plot([centre - 4.6, centre + 4.6], [100 * each.confidence] * 2, color=INK, linewidth=1.2)
            below.bar(centre, 100 * each.frames / total, 9.2, color=colour)
        above.set_xlim(0, 100)
        above.set_ylim(0, 100)
        above.set_ylabel(f"{what} right, %")
        below.set_ylabel(f"{what}, %")
        below.set_xlabel(f"{confidence}, %")
        below.set_xticks(np.arange(0, 101, 20))
    return out[0]
