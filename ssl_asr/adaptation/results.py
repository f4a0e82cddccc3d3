"""What came out of an adaptation: plain values, as its file has them. Nothing here names a speaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.adaptation.measures import Change


@dataclass(frozen=True)
class SweepPoint:
    """Word error rates on dev: of the speakers of the adapted cohorts, of those of other cohorts, and of none.

    They are None where dev has less than two such speakers. `strength` is None of the model before. Speakers of no
    cohort only show what is forgotten: there may be many, and they may differ in more than a cohort.
    """

    strength: float | None
    adapted: float | None
    others: float | None
    of_none: float | None = None

    @property
    def mean(self) -> float | None:
        """Of adapted and other cohorts, so that no more errors of many are worth less of a few. None if one is.

        By this dev chooses.
        """
        return None if self.adapted is None or self.others is None else (self.adapted + self.others) / 2


@dataclass(frozen=True)
class AdaptResults:
    """`sweep` begins with the model before. `chosen` is the strength that dev chose; `system` is that model's name.

    `changes` are of the held-out half of the test speakers, in which no cohort was searched; `unknown` are the same
    where a model that takes cohorts is told none, None of other models. `speakers` and `hours` are of the training
    speech of the cohorts. `name` names the adaptation with all its strengths.
    """

    run: str
    name: str
    model: str
    method: str
    by: str
    cohorts: Sequence[str]
    speakers: int
    hours: float
    sweep: Sequence[SweepPoint]
    chosen: float
    system: str
    changes: Sequence[Change]
    unknown: Sequence[Change] | None = None


def best_of(sweep: Sequence[SweepPoint]) -> float:
    """The strength with the lowest mean on dev; of equals the weakest. Of one strength, this."""
    tried = [point for point in sweep if point.strength is not None]
    if len(tried) == 1:
        return float(tried[0].strength or 0)
    assert all(point.mean is not None for point in tried), "dev has speakers of both kinds"
    return float(min(tried, key=lambda point: (point.mean, point.strength)).strength or 0)
