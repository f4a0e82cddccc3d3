"""What the runs of a study say: errors by system and seed, each comparison with its interval, and a verdict."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from ssl_asr.evaluation.bootstrap import Draws, Pair, relative_reduction
from ssl_asr.evaluation.error_rates import ALL, Reduction, SpeakerLimits, WordErrors
from ssl_asr.evaluation.scoring import ScoredUtterance
from ssl_asr.evaluation.summary import difference_of, errors_of, reduction_of, reductions, word_error_rate
from ssl_asr.store import filesystem
from ssl_asr.studies.study import Comparison, Study

Verdict = Literal["reproduced", "partly", "not", "can't tell"]
System = tuple[str, str]  # variant and name
Scored = Mapping[System, Mapping[int, Sequence[ScoredUtterance]]]  # by seed; each seed has a test split of its own
Figures = Mapping[tuple[str, str, str], Mapping[int, float]]  # by variant, system and figure, then by seed

# Word error rate from which on a network recognises nothing. Of two such, neither is worse, and that shows nothing.
NOTHING_RECOGNISED = 0.95


@dataclass(frozen=True)
class SystemErrors:
    """Word error rates of one system by seed; 0.25 is 25 %.

    `low` and `high` are the limits of the 95 % interval of all seeds' utterances together; None in files of former
    versions.
    """

    variant: str
    system: str
    wer: Mapping[int, float]
    low: float | None = None
    high: float | None = None

    @property
    def mean(self) -> float:
        return statistics.fmean(self.wer.values())


@dataclass(frozen=True)
class SystemFigure:
    """A figure of a stage's report, by seed."""

    variant: str
    system: str
    figure: str
    values: Mapping[int, float]


@dataclass(frozen=True)
class Compared:
    """`by_seed` has the reduction of each seed, `cells` that of all seeds' utterances together, cell by cell.

    Of a figure of the stages there is one cell, whose limits are the least and the largest of the seeds. Of a
    comparison of some conditions there is one cell too.
    """

    comparison: Comparison
    by_seed: Mapping[int, float]
    cells: Sequence[Reduction]
    verdict: Verdict

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_seed.values())

    @property
    def overall(self) -> Reduction:
        return next(each for each in self.cells if (each.set, each.condition) == (ALL, ALL))


@dataclass(frozen=True)
class Provenance:
    """How the outcome came about: the command, the version's commit, the machine, the day, minutes of all runs."""

    command: str
    commit: str
    machine: str
    day: str
    minutes: float


@dataclass(frozen=True)
class Outcome:
    study: Study
    errors: Sequence[SystemErrors]
    compared: Sequence[Compared]
    provenance: Provenance
    figures: Sequence[SystemFigure] = ()


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
    by_seed = {seed: 1 - candidate[seed] / value for seed, value in baseline.items()}
    mean, low, high = statistics.fmean(by_seed.values()), min(by_seed.values()), max(by_seed.values())
    better = statistics.fmean(float(gain > 0) for gain in by_seed.values())
    verdict = verdict_of(mean, low, high, comparison.at_least / 100)
    return Compared(comparison, by_seed, [Reduction(ALL, ALL, mean, low, high, better)], verdict)


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


def limits_of(found: Reduction | WordErrors) -> tuple[float, float]:
    """Of the interval over speakers, or over recordings where there are too few speakers for one."""
    speakers = found.by_speaker
    if speakers.low is None or speakers.high is None:
        return found.low, found.high
    return speakers.low, speakers.high


def verdict_of(mean: float, low: float, high: float, at_least: float) -> Verdict:
    """From the mean over seeds and the 95 % interval of all seeds together.

    "reproduced": a clear gain, of the size asked for on average. "partly": a clear gain, but smaller. "not": no clear
    gain, and the size asked for is outside the interval. "can't tell": no clear gain, but that size is possible too.

    Where `at_least` is below zero, a loss smaller than that is asked for, and "reproduced" needs all of the interval
    to be above it.
    """
    if at_least < 0 and low >= at_least:
        return "reproduced"
    if low > 0:
        return "reproduced" if mean >= at_least else "partly"
    return "can't tell" if high >= at_least else "not"


def to_json(outcome: Outcome) -> bytes:
    values = asdict(outcome) | {"study": outcome.study.model_dump(mode="json")}
    for each, kept in zip(outcome.compared, values["compared"], strict=True):
        kept["comparison"] = each.comparison.model_dump(mode="json")
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def read_outcome(uri: str) -> Outcome:
    """What `to_json` wrote; ValueError naming a file that it did not write."""
    try:
        return from_json(filesystem.read_bytes(uri))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{uri} is no outcome of a study; move it, or name another folder of results") from error


def from_json(data: bytes) -> Outcome:
    """What `to_json` wrote."""
    values = json.loads(data)
    errors = [SystemErrors(**{**each, "wer": _by_seed(each["wer"])}) for each in values["errors"]]
    compared = [
        Compared(
            Comparison(**each["comparison"]),
            _by_seed(each["by_seed"]),
            [Reduction(**{**cell, "by_speaker": SpeakerLimits(**cell["by_speaker"])}) for cell in each["cells"]],
            each["verdict"],
        )
        for each in values["compared"]
    ]
    figures = [
        SystemFigure(each["variant"], each["system"], each["figure"], _by_seed(each["values"]))
        for each in values.get("figures", [])  # files of former versions have none
    ]
    return Outcome(Study(**values["study"]), errors, compared, Provenance(**values["provenance"]), figures)


def _by_seed(values: Mapping[str, Any]) -> dict[int, float]:
    return {int(seed): float(value) for seed, value in values.items()}
