"""What was found of how voices cluster: plain values, as `cohorts.json` has them. Nothing here names a speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STABLE = 0.8  # from this stability on, a number of clusters is called stable


@dataclass(frozen=True)
class TriedNumber:
    """`inertia` is the mean squared distance to the nearest centre.

    `stability` is the mean adjusted Rand index (Hubert and Arabie 1985) between the clusters of all speakers and
    those of resamples: 1 where these are always the same, 0 where they agree by chance. One cluster has none.
    """

    clusters: int
    inertia: float
    stability: float | None = None


@dataclass(frozen=True)
class VoiceDot:
    """A speaker's embedding, without a name: its first two principal components, its cohort and its channel."""

    x: float
    y: float
    cohort: str
    channel: str


@dataclass(frozen=True)
class VoiceMap:
    """Speakers of both halves in the cohorts that are shown; shares of the variance along `x` and `y`."""

    dots: Sequence[VoiceDot]
    share_x: float
    share_y: float


@dataclass(frozen=True)
class Clustering:
    """The numbers of clusters that were tried, on the half searched; `stable` is False where none was stable.

    `least_speakers` on average were in each; `embeddings` is the checksum of those that were clustered.
    """

    tried: Sequence[TriedNumber]
    stable: bool
    map: VoiceMap
    least_speakers: int
    embeddings: str
