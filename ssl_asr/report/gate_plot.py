"""A picture of what a gated Transformer ran over the time of one utterance, below its spectrogram."""

from __future__ import annotations

import io
from dataclasses import dataclass

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssl_asr.frontend.stacking import stack
from ssl_asr.models.normalised import NormalisedEncoder
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.report.target_plot import FAINT, STYLE, draw_features
from ssl_asr.store.features import FRAME_SECONDS
from ssl_asr.store.targets import FRAME_SECONDS as GATE_SECONDS

Flags = npt.NDArray[np.bool_]
_OFF, _ON, _LINE = "#eceff2", "#1769aa", "#c9ced4"


@dataclass(frozen=True, eq=False)
class Gated:
    """One utterance: log energies [10 ms frames, mel bins], and by module which 30 ms frames ran it.

    `modules` maps a module's name to [30 ms frames, layers, heads], with one head for a feed-forward module; those
    that are not gated are left out. `share` is the FLOPs that ran, of those of the network without gates. `learned`
    says whether arbitrators decide, or chance.
    """

    id: str
    frames: npt.NDArray[np.floating]
    modules: dict[str, Flags]
    share: float
    learned: bool


def gated(model: NormalisedEncoder, utterance: str, frames: npt.NDArray[np.floating]) -> Gated:
    """What `model` runs for the utterance with these frames; ValueError if its network has no gates."""
    encoder = model.encoder
    if not isinstance(encoder, Transformer) or encoder.section.gating is None:
        raise ValueError(
            f"a network of kind '{encoder.section.kind}' without gating runs all of itself; draw one with gating"
        )
    inputs_td = torch.from_numpy(stack(frames).astype(np.float32)).to(model.mean.device)
    with torch.inference_mode():
        ran = encoder.computed(model.normalise(inputs_td)[None], torch.tensor([len(inputs_td)]))
    by_module = encoder.parts.split(ran.keep[0].cpu())
    named = {"feed-forward": by_module.feed_forward, "queries": by_module.queries, "keys": by_module.keys}
    modules = {name: _with_heads(flags) for name, flags in named.items() if flags is not None}
    learned = encoder.section.gating.arbitrator != "random"
    return Gated(utterance, frames, modules, float(ran.flops / ran.ungated_flops), learned)


def draw(shown: Gated) -> bytes:
    """A PNG: the spectrogram, then for each kind of module a row for each layer and head, layer 1 at the bottom."""
    heights = [max(1.3, 0.055 * flags.shape[1] * flags.shape[2]) for flags in shown.modules.values()]
    seconds = len(shown.frames) * FRAME_SECONDS
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(float(np.clip(4 + 1.6 * seconds, 9, 18)), 3.1 + sum(heights)), layout="constrained")
        axes = figure.subplots(1 + len(heights), 1, sharex=True, height_ratios=[2.0, *heights])
        draw_features(axes[0], shown.frames)
        for axis, (name, flags) in zip(axes[1:], shown.modules.items(), strict=True):
            _draw_module(axis, name, flags)
        axes[-1].set_xlabel("seconds")
        axes[-1].set_xlim(0, seconds)
        figure.suptitle(shown.id, x=0.01, ha="left", fontsize=12, fontweight="bold")
        said = f"{100 * shown.share:.0f} % of the FLOPs of the network without gates; blue: it ran"
        axes[0].set_title(said, loc="left", fontsize=9, color=FAINT)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _draw_module(axis: Axes, name: str, flags_tlh: Flags) -> None:
    frames, layers, heads = flags_tlh.shape
    extent = (0, frames * GATE_SECONDS, 0, layers * heads)
    colours = matplotlib.colors.ListedColormap([_OFF, _ON])
    rows = flags_tlh.reshape(frames, -1).T
    axis.imshow(
        rows, cmap=colours, vmin=0, vmax=1, origin="lower", aspect="auto", extent=extent, interpolation="nearest"
    )
    axis.hlines(np.arange(1, layers) * heads, 0, extent[1], color=_LINE, linewidth=0.6)
    shown = range(0, layers, 1 if layers <= 6 else 2)
    axis.set_yticks([(layer + 0.5) * heads for layer in shown], [str(layer + 1) for layer in shown])
    axis.set_ylabel(f"{name}\n{flags_tlh.mean():.0%} run, by layer")


def _with_heads(flags: torch.Tensor) -> Flags:
    """[30 ms frames, layers, heads]."""
    found: Flags = flags.reshape(*flags.shape[:2], -1).numpy()
    return found
