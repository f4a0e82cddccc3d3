"""What was found of cohorts: plain values, as `cohorts.json` has them. Nothing here names a speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.evaluation.bootstrap import Interval
from ssl_asr.fairness.clustering import Clustering
from ssl_asr.fairness.regions import Geography


@dataclass(frozen=True)
class Part:
    """`speakers`, `words` and `wer` (0.25 is 25 %) are of the held-out half, `wer_searched` of the half searched.

    `interval` is that of `wer` over speakers; None with too few. The shares are of all words and speakers in cohorts.
    """

    speakers: int
    words: int
    wer: float
    interval: Interval | None
    wer_searched: float
    share_of_words: float
    share_of_speakers: float


@dataclass(frozen=True)
class Cohort:
    """A value of a tag, a region or a cluster; `bottom` says to which part it belongs."""

    name: str
    bottom: bool
    part: Part


@dataclass(frozen=True)
class Gap:
    """The word error rate of the bottom part above that of the top part, relative: 0.4 is 40 % more errors a word.

    None where the top part has no error. `value` is of the held-out half, with its 95 % `interval` over speakers.
    `p` is the share of shuffles, of the attribute over the speakers of that half, with as large a difference to the
    disadvantage of the bottom part; 5 % of the shuffles have a gap above `shuffled`. `p_within_channels` is `p` where
    only speakers of one test set and channel are exchanged; None where all are of one.
    `searched` is the gap of the half in which the parts were chosen; `searched_shuffled` is the median that the same
    search finds there in shuffled attributes: what of it is chance.
    """

    value: float | None
    interval: Interval | None
    p: float
    shuffled: float | None
    p_within_channels: float | None
    searched: float | None
    searched_shuffled: float | None


@dataclass(frozen=True)
class Spread:
    """Over cohorts of the held-out half, each counted once: the variance of the word error rates, with its p.

    `shuffled` is the mean variance with shuffled attributes: that of chance. `worst` is the cohort with the highest
    word error rate in the searched half, and `worst_wer` its word error rate in the held-out half.
    """

    variance: float
    shuffled: float
    p: float
    worst: str
    worst_wer: float


@dataclass(frozen=True)
class ChannelCheck:
    """How far cohorts are test sets or channels: Cramer's V (0 not at all, 1 wholly), and its p.

    Over the speakers of the held-out half.
    """

    channels: int
    v: float
    p: float


@dataclass(frozen=True)
class MixedEffects:
    """`ratio` is the word error rate of the bottom part by that of the top part, with its 95 % `interval`.

    A Poisson regression of the held-out half, with `channels` (test sets and channels) as fixed effects and speakers
    as random ones. `speaker_deviation` is the standard deviation of the speakers' logarithms of rates. All three are
    None where `problem` says in one sentence why.
    """

    ratio: float | None
    interval: Interval | None
    speaker_deviation: float | None
    channels: int
    problem: str | None


@dataclass(frozen=True)
class LeftOut:
    """`speakers` are in no cohort: the attribute is known of none of their utterances, or they share it with nobody.

    `unknown_utterances` lack it; `single_values` are known of one speaker alone. `varying` speakers have several
    values, of which that of most words is taken. `wer` is None with less than two speakers.
    """

    speakers: int
    words: int
    wer: float | None
    unknown_utterances: int
    single_values: int
    varying: int


@dataclass(frozen=True)
class CohortResults:
    """`cohorts` are sorted by their word error rates in the searched half, the worst first.

    `hidden` cohorts have less than two speakers in one of the halves: they are in their part and shown nowhere.
    `seed` chose the halves. `speakers`, `words` and `wer` are of all that was scored.
    """

    source: str
    system: str
    by: str
    seed: int
    utterances: int
    speakers: int
    words: int
    wer: float
    gap: Gap
    bottom: Part
    top: Part
    cohorts: Sequence[Cohort]
    hidden: int
    spread: Spread | None
    channel: ChannelCheck | None
    left_out: LeftOut
    geography: Geography | None = None
    clustering: Clustering | None = None
    mixed_effects: MixedEffects | None = None  # none in files that were written before it was measured
