"""Clusters of speakers by their embeddings: k-means, and how many there are, without any knowledge of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from ssl_asr.fairness.clustering import STABLE, TriedNumber
from ssl_asr.fairness.cuts import Float
from ssl_asr.fairness.scored_table import Int

MOST = 12
_RESAMPLES, _SHARE = 10, 0.8


@dataclass(frozen=True)
class Clusters:
    """`centres` [clusters, d]; the number was chosen among those `tried`. `stable`: its stability is enough."""

    centres: Float
    tried: Sequence[TriedNumber]
    stable: bool


def nearest(vectors_nd: Float, centres_kd: Float) -> Int:
    """The cluster of each vector."""
    squares = (centres_kd**2).sum(axis=1) - 2 * vectors_nd @ centres_kd.T
    return squares.argmin(axis=1)


def find_clusters(vectors_nd: Float, least: int, seed: int) -> Clusters:
    """Of speakers' vectors, clusters of at least two. ValueError where `least` speakers in each would be too many."""
    most = min(MOST, len(np.unique(vectors_nd, axis=0)), len(vectors_nd) // least)
    if most < 2:
        raise ValueError(
            f"{len(vectors_nd)} speakers with an embedding in the half that is searched are too few for two clusters "
            f"of {least}; lower --least-speakers or embed more speakers"
        )
    # One thread: the order in which several add up may change the last digits.
    with threadpool_limits(1):
        centres = [_centres(vectors_nd, number, seed, starts=10) for number in range(1, most + 1)]
        tried = [_tried(vectors_nd, each, seed) for each in centres]
    chosen = _chosen(tried)
    return Clusters(centres[chosen.clusters - 1], tried, (chosen.stability or 0) >= STABLE)


def elbow(inertias: Sequence[float]) -> int:
    """The number of clusters, from 2 on, whose inertia is farthest below the line from the first to the last.

    That is the knee of Satopaa et al. (2011). `inertias` are those of 1, 2, ... clusters.
    """
    fall = inertias[0] - inertias[-1]
    if len(inertias) < 3 or fall <= 0:
        return 2
    heights = (np.array(inertias) - inertias[-1]) / fall
    below = np.linspace(1, 0, len(inertias)) - heights
    return int(below[1:].argmax()) + 2


def _chosen(tried: Sequence[TriedNumber]) -> TriedNumber:
    """The elbow, or the largest stable number below it, or the most stable number."""
    found = tried[1 : elbow([each.inertia for each in tried])]
    stable = [each for each in found if (each.stability or 0) >= STABLE]
    return stable[-1] if stable else max(tried[1:], key=lambda each: each.stability or 0)


def _tried(vectors_nd: Float, centres_kd: Float, seed: int) -> TriedNumber:
    number, labels = len(centres_kd), nearest(vectors_nd, centres_kd)
    inertia = float(((vectors_nd - centres_kd[labels]) ** 2).sum(axis=1).mean())
    if number == 1:
        return TriedNumber(1, inertia)
    random = np.random.default_rng([seed, number])
    size = max(number, round(_SHARE * len(vectors_nd)))
    agreed = []
    for _ in range(_RESAMPLES):
        drawn = vectors_nd[random.choice(len(vectors_nd), size, replace=False)]
        again = _centres(drawn, number, seed, starts=3)
        agreed.append(adjusted_rand_score(labels, nearest(vectors_nd, again)))
    return TriedNumber(number, inertia, float(np.mean(agreed)))


def _centres(vectors_nd: Float, number: int, seed: int, starts: int) -> Float:
    return KMeans(number, n_init=starts, random_state=seed).fit(vectors_nd).cluster_centers_
