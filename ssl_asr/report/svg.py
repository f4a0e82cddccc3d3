"""Figures as inline SVG: text stays text, and colours follow the page's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssl_asr.models.systems import BASELINE, BASELINE_SHORT, STUDENT, TEACHER, TOPLINE, smbr_name

# Placeholder colours in the SVG and the CSS variables that replace them; the page defines these for light and dark.
_CSS = {
    "#100001": "var(--ink)",
    "#100002": "var(--faint)",
    "#100003": "var(--grid)",
    "#100004": "var(--baseline)",
    "#100005": "var(--teacher)",
    "#100006": "var(--student)",
    "#100007": "var(--shade)",
    "#100008": "var(--topline)",
    "#100009": "var(--baseline-short)",
}
INK, FAINT, GRID, SHADE = "#100001", "#100002", "#100003", "#100007"
COLOUR = {BASELINE: "#100004", BASELINE_SHORT: "#100009", TEACHER: "#100005", STUDENT: "#100006", TOPLINE: "#100008"}
COLOUR |= {smbr_name(name): colour for name, colour in COLOUR.items()}

_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "legend.frameon": False,
}


@contextmanager
def drawn(
    name: str, width: float, height: float, rows: int = 1, ratios: Sequence[float] | None = None
) -> Iterator[tuple[Figure, Sequence[Axes], list[str]]]:
    """A figure of `rows` axes one above the other; its SVG is appended to the list as the block ends."""
    out: list[str] = []
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, list(np.atleast_1d(figure.subplots(rows, sharex=rows > 1, height_ratios=ratios))), out
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" role="img">', svg, count=1)
    for stand_in, variable in _CSS.items():
        svg = svg.replace(stand_in, variable)
    out.append(svg)
