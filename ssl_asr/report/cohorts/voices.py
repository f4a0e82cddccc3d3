"""The figure of voices: speakers in two dimensions, coloured by cohort, shaped by test set and channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.lines import Line2D

from ssl_asr.fairness.clustering import VoiceMap
from ssl_asr.report.svg import FAINT, drawn

# Middle tones, which are seen on a light and on a dark page.
_COLOURS = (
    "#3b82c4",
    "#e07b39",
    "#3f9e5f",
    "#c94f4f",
    "#8a6fc9",
    "#a3795c",
    "#d473b4",
    "#7f8a93",
    "#a8a43a",
    "#35a7b5",
    "#b08900",
    "#6b7fd7",
)
_SHAPES, _OTHERS = ("o", "^", "s", "D", "v", "P"), "others"


def draw_voices(voices: VoiceMap) -> str:
    """Channels beyond the six with the most speakers share a shape."""
    cohorts = sorted({dot.cohort for dot in voices.dots}, key=lambda name: (len(name), name))
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(cohorts)}
    shapes = _shapes([dot.channel for dot in voices.dots])
    with drawn("cohort-voices", 5.6, 4.6) as (figure, axes, out):
        axis = axes[0]
        for channel, shape in shapes.items():
            dots = [dot for dot in voices.dots if _shown(dot.channel, shapes) == channel]
            places = [dot.x for dot in dots], [dot.y for dot in dots]
            tints = [colours[dot.cohort] for dot in dots]
            axis.scatter(*places, s=26, c=tints, marker=shape, linewidths=0, alpha=0.85)
        axis.set_xlabel("first component")
        axis.set_ylabel("second component")
        keys = [_key("o", colour, name) for name, colour in colours.items()]
        if len(shapes) > 1:
            keys += [_key(shape, FAINT, channel.replace("$", r"\$")) for channel, shape in shapes.items()]
        figure.legend(handles=keys, loc="outside upper left", ncols=3, handlelength=1)
    return out[0]


def _key(shape: str, colour: str, name: str) -> Line2D:
    return Line2D([], [], marker=shape, color=colour, linestyle="none", label=name)


def _shapes(channels: Sequence[str]) -> Mapping[str, str]:
    """By channel, those of the most speakers first."""
    sizes = Counter(channels)
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    found = dict(zip(names, _SHAPES, strict=False))
    return found if len(names) <= len(_SHAPES) else {**found, _OTHERS: "x"}


def _shown(channel: str, shapes: Mapping[str, str]) -> str:
    return channel if channel in shapes else _OTHERS
