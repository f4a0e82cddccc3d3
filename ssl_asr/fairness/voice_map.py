"""Speakers' embeddings in two dimensions, to be looked at: their first two principal components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ssl_asr.fairness.clustering import Clustering, VoiceDot, VoiceMap
from ssl_asr.fairness.cuts import Float
from ssl_asr.fairness.scored_table import Int

MOST_DOTS = 2000
_LEAST = 2  # dots of a channel: none is known by it
OTHER = "other"  # channels that are not named


def voice_map(vectors_nd: Float, clusters_n: Int, channels_n: Int, channel_names: Sequence[str]) -> VoiceMap:
    """Of speakers, their clusters and their channels [n]; of so many that they can't be drawn, some at even steps."""
    places_n2, shares = principal_components(vectors_nd)
    chosen = np.unique(np.linspace(0, len(places_n2) - 1, min(len(places_n2), MOST_DOTS)).astype(np.int64))
    dots = [
        VoiceDot(round(float(x), 3), round(float(y), 3), f"cluster {cluster + 1}", channel_names[channel])
        for (x, y), cluster, channel in zip(places_n2[chosen], clusters_n[chosen], channels_n[chosen], strict=True)
    ]
    return VoiceMap(_shared_channels(dots), shares[0], shares[1])


def principal_components(vectors_nd: Float) -> tuple[Float, tuple[float, float]]:
    """[n, 2], and the shares of the variance in each; the sign makes the largest loading of each positive."""
    centred_nd = vectors_nd - vectors_nd.mean(axis=0)
    _, scales, loadings = np.linalg.svd(centred_nd, full_matrices=False)
    variances = np.append(scales**2, [0.0, 0.0])[:2]
    axes_2d = np.zeros((2, vectors_nd.shape[1]))
    axes_2d[: len(loadings)] = loadings[:2]
    largest = np.abs(axes_2d).argmax(axis=1)
    axes_2d *= np.where(axes_2d[[0, 1], largest] < 0, -1, 1)[:, None]
    first, second = (float(each) for each in variances / max((scales**2).sum(), 1e-30))
    return centred_nd @ axes_2d.T, (first, second)


def only_of(clustering: Clustering, cohorts: Sequence[str]) -> Clustering:
    """Without the dots of other cohorts, which are shown nowhere."""
    shown = {*cohorts}
    dots = [dot for dot in clustering.map.dots if dot.cohort in shown]
    return replace(clustering, map=replace(clustering.map, dots=_shared_channels(dots)))


def _shared_channels(dots: Sequence[VoiceDot]) -> list[VoiceDot]:
    """Channels of fewer than two dots are one: who knows of whom a channel is would know the dot's voice and cohort.

    One dot left over would be known by that too, so the next smallest channel joins it.
    """
    sizes = Counter(dot.channel for dot in dots)
    merged = {name for name, size in sizes.items() if size < _LEAST}
    named = sorted({*sizes} - merged - {OTHER}, key=lambda name: (sizes[name], name))
    if 0 < sum(sizes[name] for name in merged | {OTHER}) < _LEAST:
        merged |= {*named[:1]}
    return [replace(dot, channel=OTHER) if dot.channel in merged else dot for dot in dots]
