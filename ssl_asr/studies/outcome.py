"""What the runs of a study say: errors by system and seed, each comparison with its interval, and a verdict."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.evaluation.error_rates import ALL, Reduction
from ssl_asr.studies.study import Comparison, Study
from ssl_asr.studies.verdict import Verdict


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

    Of a figure of the stages there is one cell, with the limits of the 95 % interval by Student's t over the seeds.
    Of one seed both are its value. Of a comparison of some conditions there is one cell too.
    """

    comparison: Comparison
    by_seed: Mapping[int, float]
    cells: Sequence[Reduction]
    verdict: Verdict

    @property
    def mean(self) -> float:
        return statistics.fmean(self.by_seed.values())

    @property
    def has_interval(self) -> bool:
        """A figure of one seed has none."""
        return not self.comparison.figure or len(self.by_seed) > 1

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
