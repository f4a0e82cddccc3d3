"""Compares the systems of a study, seed by seed and all seeds together: from what was scored to the outcome."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import t

from ssl_asr.evaluation.bootstrap import Draws, Pair, relative_reduction
from ssl_asr.evaluation.error_rates import ALL, Reduction
from ssl_asr.evaluation.scoring import ScoredUtterance
from ssl_asr.evaluation.summary import difference_of, errors_of, reduction_of, reductions, word_error_rate
from ssl_asr.studies.outcome import Compared, Outcome, Provenance, SystemErrors, SystemFigure
from ssl_asr.studies.study import Comparison, Study
from ssl_asr.studies.verdict import limits_of, verdict_of

System = tuple[str, str]  # variant and name
Scored = Mapping[System, Mapping[int, Sequence[ScoredUtterance]]]  # by seed; each seed has a test split of its own
Figures = Mapping[tuple[str, str, str], Mapping[int, float]]  # by variant, system and figure, then by seed

# Word error rate from which on a network recognises nothing. Of two such, neither is worse, and that shows nothing.
NOTHING_RECOGNISED = 0.95
_UPPER = 0.975  # of a 95 % interval


def outcome_of(
    study: Study, scored: Scored, draws: Draws, provenance: Provenance, figures: Figures | None = None
) -> Outcome:
    errors = [_system_errors(system, scored[system], draws) for system in study.systems()]
    known = figures or {}
    compared = [
        _compared_figures(each, known) if each.figure else _compared(each, scored, draws)
        for each in study.comparisons
    ]
    listed = [SystemFigure(*each, known[each]) for each in study.figures()]
    return Outcome(study, errors, compared, provenance, listed)


def _system_errors(system: System, scored: Mapping[int, Sequence[ScoredUtterance]], draws: Draws) -> SystemErrors:
    together = errors_of(system[1], (ALL, ALL), _pooled(scored), draws)
    return SystemErrors(
        *system, {seed: word_error_rate(found) for seed, found in scored.items()}, *limits_of(together)
    )


def _compared_figures(comparison: Comparison, figures: Figures) -> Compared:
    baseline, candidate = (figures[(*each, comparison.figure)] for each in comparison.systems)
    for seed, value in baseline.items():
        if value <= 0:
            raise ValueError(
                f"'{comparison.name}', seed {seed}: {comparison.what} of {comparison.baseline} is {value:g}, and "
                "nothing can be in percent of that; compare with another variant"
            )
    return of_figures(comparison, {seed: 1 - candidate[seed] / value for seed, value in baseline.items()})


def of_figures(comparison: Comparison, by_seed: Mapping[int, float]) -> Compared:
    """Of each seed's reduction of a figure."""
    mean, low, high = _over_seeds([*by_seed.values()])
    better = statistics.fmean(float(gain > 0) for gain in by_seed.values())
    verdict = verdict_of(mean, low, high, comparison.at_least / 100) if len(by_seed) > 1 else "can't tell"
    return Compared(comparison, by_seed, [Reduction(ALL, ALL, mean, low, high, better)], verdict)


def _over_seeds(gains: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and the limits of a 95 % interval by Student's t.

    From the least to the largest of three seeds would hold the true mean in 75 % of the cases.
    """
    mean = statistics.fmean(gains)
    if len(gains) < 2:
        return mean, mean, mean
    wide = float(t.ppf(_UPPER, len(gains) - 1)) * statistics.stdev(gains) / len(gains) ** 0.5
    return mean, mean - wide, mean + wide


def _compared(comparison: Comparison, scored: Scored, draws: Draws) -> Compared:
    baseline, candidate = (scored[each] for each in comparison.systems)
    pairs = {seed: (found, candidate[seed]) for seed, found in baseline.items()}
    for seed, pair in pairs.items():
        _check_speech(comparison, seed, pair)
    by_seed = {seed: _gain(comparison, pair) for seed, pair in pairs.items()}
    pooled = (_pooled(baseline), _pooled(candidate))
    part = _part(pooled, comparison.conditions)
    if comparison.beyond:
        cells = [difference_of(part, _part(pooled, comparison.beyond), draws)]
    elif comparison.conditions:
        cells = [reduction_of((ALL, ALL), *part, draws)]
    else:
        cells = reductions(*part, draws)
    overall = next(each for each in cells if (each.set, each.condition) == (ALL, ALL))
    low, high = limits_of(overall)
    verdict = verdict_of(statistics.fmean(by_seed.values()), low, high, comparison.at_least / 100)
    if comparison.at_least < 0 and word_error_rate(part[0]) >= NOTHING_RECOGNISED:
        verdict = "can't tell"
    return Compared(comparison, by_seed, cells, verdict)


def _check_speech(comparison: Comparison, seed: int, pair: Pair) -> None:
    """ValueError where the two did not recognise the same test speech, or none is in a condition that is compared."""
    found, other = pair
    if {each.id for each in found} != {each.id for each in other}:
        raise ValueError(
            f"'{comparison.name}', seed {seed}: the two were not scored on the same utterances; let the variants "
            "have the same test speech, and no rejects of their own"
        )
    spoken = {each.condition for each in found}
    for condition in (*comparison.conditions, *comparison.beyond):
        if condition not in spoken:
            raise ValueError(f"'{comparison.name}', seed {seed}: no test speech is in {condition}; name another")


def _gain(comparison: Comparison, pair: Pair) -> float:
    """Of one seed."""
    gain = _reduction(_part(pair, comparison.conditions))
    return gain - _reduction(_part(pair, comparison.beyond)) if comparison.beyond else gain


def _part(pair: Pair, conditions: Sequence[str]) -> Pair:
    """What was said in these conditions; all where none is named."""
    baseline, candidate = ([each for each in said if not conditions or each.condition in conditions] for said in pair)
    return baseline, candidate


def _reduction(pair: Pair) -> float:
    return float(relative_reduction(np.array([[_errors(pair[0]), _errors(pair[1])]]))[0])


def _errors(scored: Sequence[ScoredUtterance]) -> float:
    return float(sum(each.edits.errors for each in scored))


def _pooled(scored: Mapping[int, Sequence[ScoredUtterance]]) -> list[ScoredUtterance]:
    """Utterances of all seeds in one order; a speaker, or a recording, of several seeds stays one block."""
    return [
        replace(each, id=f"{seed} {each.id}")
        for seed in sorted(scored)
        for each in sorted(scored[seed], key=lambda each: each.id)
    ]
