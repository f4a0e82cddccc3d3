"""Word error rates over the simulated accents, which are known, before and after an adaptation, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.adaptation.measures import MAXIMUM, MEAN, VARIANCE
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.fairness.attributes import halves_of
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.scored_table import Counts, ScoredTable, main_values, speakers_of

Float = npt.NDArray[np.float64]
_LIMITS = (0.025, 0.975)


@dataclass(frozen=True)
class Heard:
    """The talkers whom one seed holds out of its search: their names, their accents, and their words and errors."""

    names: Sequence[str]
    accents: Sequence[str]
    before: Counts
    after: Counts


def heard_in(before: ScoredTable, after: ScoredTable, found: CohortResults) -> Heard:
    """Both tables are of the same test speech, in which the cohorts were found."""
    speakers, adapted = speakers_of(before), speakers_of(after)
    assert speakers.names == adapted.names, "both systems heard the test split"
    rows, searched = halves_of(found.by, before, speakers, found.seed)
    accents = main_values(before, speakers.utterances, lambda each: each.tags.get("accent")).values
    held = np.array([row for row in rows[~searched] if accents[row] is not None], np.int64)
    named = [(speakers.names[row], accents[row] or "") for row in held]
    counts = [each.counts.rows(held) for each in (speakers, adapted)]
    return Heard([name for name, _ in named], [accent for _, accent in named], counts[0], counts[1])


def changes_over_accents(heard: Heard) -> dict[str, float]:
    """Relative changes of mean, maximum and variance, where each accent counts once: -0.1 is a tenth less."""
    ones = np.ones((1, len(heard.names)), np.int64)
    before, after = (_rates(counts, heard.accents, ones)[0] for counts in (heard.before, heard.after))
    pairs = {
        MEAN: (before.mean(), after.mean()),
        MAXIMUM: (before.max(), after.max()),
        VARIANCE: (before.var(), after.var()),
    }
    return {name: _change(float(first), float(second)) for name, (first, second) in pairs.items()}


def variance_interval(seeds: Sequence[Heard], draws: Draws) -> tuple[float, float] | None:
    """The 95 % interval of the mean over seeds of the variance's relative change; None where none can be drawn.

    Talkers are drawn within their accents, and one who is held out in several seeds is drawn in all of them alike:
    the seeds share their talkers. A draw without a word of an accent in a seed is left out.
    """
    talkers = sorted({pair for each in seeds for pair in zip(each.accents, each.names, strict=True)})
    times = times_drawn([accent for accent, _ in talkers], draws)
    changes = []
    for each in seeds:
        places = [talkers.index(pair) for pair in zip(each.accents, each.names, strict=True)]
        rates = [_rates(counts, each.accents, times[:, places]) for counts in (each.before, each.after)]
        before, after = (found.var(axis=1) for found in rates)
        changes.append(np.divide(after, before, out=np.full(len(before), np.nan), where=before > 0) - 1)
    means = np.mean(changes, axis=0) if changes else np.array([])
    known = means[~np.isnan(means)]
    if not len(known):
        return None
    low, high = np.quantile(known, _LIMITS)
    return float(low), float(high)


def times_drawn(accents: Sequence[str], draws: Draws) -> npt.NDArray[np.int64]:
    """How often each talker is drawn, with replacement within the accent [replicates, talkers]."""
    random, times = np.random.default_rng(draws.seed), np.zeros((draws.replicates, len(accents)), np.int64)
    for name in sorted({*accents}):
        mine = np.flatnonzero([each == name for each in accents])
        times[:, mine] = random.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), draws.replicates)
    return times


def _rates(counts: Counts, accents: Sequence[str], times: npt.NDArray[np.int64]) -> Float:
    """[replicates, accents]; nan where no word of an accent was drawn."""
    _, labels = np.unique(np.array(accents), return_inverse=True)
    belongs = np.eye(int(labels.max()) + 1, dtype=np.int64)[labels]  # [talkers, accents]
    words, errors = ((times * each) @ belongs for each in (counts.words, counts.errors))
    return np.divide(errors, words, out=np.full(words.shape, np.nan), where=words > 0)


def _change(before: float, after: float) -> float:
    return after / before - 1 if before else 0.0
