"""Scored utterances of made-up speakers, whose true word error rates are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ssl_asr.evaluation.scoring import Edits, ScoredUtterance
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.measures import Settings
from ssl_asr.fairness.scored_table import ScoredTable, TaggedUtterance

QUICK = Settings(Least(50, 3), replicates=200, shuffles=199, searches=19)


def table_of(
    rates: Sequence[float],
    tags: Sequence[Mapping[str, str]],
    *,
    sets: Sequence[str] | None = None,
    words: int = 200,
    seed: int = 0,
) -> ScoredTable:
    """Two utterances of half of `words` for each speaker; the errors are drawn with the speaker's rate."""
    random, half = np.random.default_rng(seed), words // 2
    return ScoredTable(
        "made-up.jsonl",
        "made-up",
        [
            TaggedUtterance(
                ScoredUtterance(
                    f"u{number}-{part}",
                    f"u{number}-{part}",
                    "test" if sets is None else sets[number],
                    "clean",
                    Edits(half, 0, 0, int(random.binomial(half, rate))),
                    f"person {number}",
                ),
                tags[number],
            )
            for number, rate in enumerate(rates)
            for part in range(2)
        ],
    )
