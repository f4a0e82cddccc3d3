"""A picture of one utterance of targets: its features, the teacher's senones, and the teacher's confidence."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.report.inspect import Inspected
from ssl_asr.store import features, targets

SENONES = 16  # rows of the heat map: the senones with the most probability in the utterance
_INK, FAINT, _SURE, _UNSURE = "#1d2530", "#667180", "#1769aa", "#dd9a2c"
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": "#c9ced4",
    "xtick.color": FAINT,
    "ytick.color": _INK,
    "xtick.major.size": 2,
    "ytick.major.size": 0,
}


def draw(shown: Inspected) -> bytes:
    """A PNG whose width grows with the utterance, up to the width of a screen."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(float(np.clip(4 + 1.6 * shown.seconds, 9, 18)), 8.4), layout="constrained")
        frames, phones_axis, senones, confidence_axis = figure.subplots(
            4, 1, sharex=True, height_ratios=[2.6, 0.28, 4.2, 1.7], gridspec_kw={"hspace": 0.03}
        )
        heat = draw_features(frames, shown.frames)
        _draw_phones(phones_axis, shown, 0.8 * figure.get_figwidth() / shown.seconds)
        shades = _draw_senones(senones, shown)
        _draw_confidence(confidence_axis, shown)
        figure.colorbar(heat, ax=frames, pad=0.01, aspect=12).set_label("log energy", color=FAINT)
        figure.colorbar(shades, ax=senones, pad=0.01, aspect=20).set_label("probability", color=FAINT)
        figure.suptitle(shown.id, x=0.01, ha="left", fontsize=12, fontweight="bold")
        frames.set_title(_subtitle(shown), loc="left", fontsize=9, color=FAINT)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _subtitle(shown: Inspected) -> str:
    return (
        f"speaker {shown.speaker}, {shown.condition}, {shown.seconds:.2f} s, "
        f"confidence {shown.confidence:.2f}, entropy {shown.entropy.mean():.2f} nats"
    )


def draw_features(axis: Axes, frames: npt.NDArray[np.floating]) -> matplotlib.cm.ScalarMappable:
    """Log energies [10 ms frames, mel bins] as a spectrogram over seconds."""
    energies_bt = frames.astype(np.float32).T
    # A click or digital silence must not reduce the contrast of the rest.
    low, high = np.percentile(energies_bt, [2, 99.5])
    extent = (0, len(frames) * features.FRAME_SECONDS, 0, len(energies_bt))
    axis.set_ylabel("mel bin")
    axis.tick_params(axis="x", bottom=False)
    return axis.imshow(
        energies_bt,
        cmap="magma",
        vmin=low,
        vmax=high,
        origin="lower",
        aspect="auto",
        extent=extent,
        interpolation="nearest",
    )


def _draw_phones(axis: Axes, shown: Inspected, inches_a_second: float) -> None:
    """Segments of the centre phone of each frame's best senone, named if the name fits; hidden without names."""
    axis.set_yticks([])
    axis.set_ylim(0, 1)
    axis.tick_params(axis="x", bottom=False)
    if shown.names is None:
        axis.set_visible(False)
        return
    phones = [shown.names.phones[senone] for senone in shown.targets.senones[:, 0]]
    begin = 0
    for place, (phone, run) in enumerate(groupby(phones)):
        frames = len(list(run))
        begin, end = begin + frames, begin
        silent = phone == shown.names.phones[SILENCE_SENONE]
        shade = "#f2f4f6" if silent else ("#dce9f4", "#c3daec")[place % 2]
        axis.axvspan(end * targets.FRAME_SECONDS, begin * targets.FRAME_SECONDS, color=shade, linewidth=0)
        if not silent and frames * targets.FRAME_SECONDS * inches_a_second > 0.08 * len(phone) + 0.02:
            axis.text((begin + end) / 2 * targets.FRAME_SECONDS, 0.5, phone, ha="center", va="center", fontsize=7)
    axis.set_ylabel("phones", rotation=0, ha="right", va="center")


def _draw_senones(axis: Axes, shown: Inspected) -> matplotlib.cm.ScalarMappable:
    """Probabilities of the senones with the most mass, ordered by time, and the rest for all other senones."""
    probs_tk = np.exp(shown.targets.log_probs)
    mass = np.bincount(shown.targets.senones.ravel(), probs_tk.ravel())
    chosen = _by_time(np.argsort(-mass)[: min(SENONES, int((mass > 0).sum()))], shown.targets.senones, probs_tk)
    rows = [np.where(shown.targets.senones == senone, probs_tk, 0).sum(axis=1) for senone in chosen]
    others = np.maximum(1 - np.sum(rows, axis=0), 0)
    shades = _heat(axis, np.array(rows), 0, "Blues")
    _heat(axis, 0.6 * others[None, :], len(rows), "Greys")  # paler, so that it does not dominate the picture
    axis.set_ylim(len(rows) + 0.5, -0.5)
    axis.set_yticks(range(len(rows) + 1), [*(_name(shown, senone) for senone in chosen), "all others"])
    axis.set_yticks(np.arange(len(rows)) + 0.5, minor=True)
    axis.grid(axis="y", which="minor", color="#e3e6ea", linewidth=0.6)
    axis.tick_params(axis="both", which="minor", left=False)
    axis.tick_params(axis="x", bottom=False)
    return shades


def _heat(axis: Axes, rows: npt.NDArray, first: int, colours: str) -> matplotlib.cm.ScalarMappable:
    """Probabilities [rows, 30 ms frames], the top row at height `first`."""
    extent = (0, rows.shape[1] * targets.FRAME_SECONDS, first + len(rows) - 0.5, first - 0.5)
    return axis.imshow(rows, cmap=colours, vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")


def _by_time(chosen: npt.NDArray[np.int64], senones_tk: npt.NDArray, probs_tk: npt.NDArray) -> Sequence[int]:
    """Silence first, then in the order of each senone's mean time, so that speech runs down the picture."""
    frames = np.arange(len(probs_tk))

    def centre(senone: int) -> float:
        mass_t = np.where(senones_tk == senone, probs_tk, 0).sum(axis=1)
        return -1.0 if senone == SILENCE_SENONE else float((mass_t * frames).sum() / mass_t.sum())

    return sorted(chosen.tolist(), key=centre)


def _name(shown: Inspected, senone: int) -> str:
    return str(senone) if shown.names is None else shown.names.names[senone]


def _draw_confidence(axis: Axes, shown: Inspected) -> None:
    times = (np.arange(len(shown.largest)) + 0.5) * targets.FRAME_SECONDS
    axis.fill_between(times, shown.largest, color=_SURE, alpha=0.18, linewidth=0, step="mid")
    axis.step(times, shown.largest, color=_SURE, linewidth=1.2, where="mid")
    axis.set_ylim(0, 1.02)
    axis.set_ylabel("largest probability", color=_SURE)
    axis.set_xlabel("seconds")
    axis.set_xlim(0, shown.seconds)
    right = axis.twinx()
    right.plot(times, shown.entropy, color=_UNSURE, linewidth=1.2)
    right.set_ylim(0, max(3.0, float(shown.entropy.max()) * 1.05))
    right.set_ylabel("entropy, nats", color=_UNSURE)
