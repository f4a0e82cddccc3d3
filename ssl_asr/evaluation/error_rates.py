"""Word error rates of systems and their reductions, for each cell of test set and condition."""

from __future__ import annotations

from dataclasses import dataclass

ALL = "all"  # the set or condition of an aggregate


@dataclass(frozen=True)
class SpeakerLimits:
    """95 % interval over speakers; no limits where there are too few `speakers` for one."""

    speakers: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class WordErrors:
    """Word error rate of a system with its 95 % interval over recordings; 0.25 is 25 %."""

    system: str
    set: str
    condition: str
    wer: float
    low: float
    high: float
    words: int
    insertions: int
    deletions: int
    substitutions: int
    utterances: int
    by_speaker: SpeakerLimits = SpeakerLimits(0)


@dataclass(frozen=True)
class ToplineShare:
    """Share of the topline's gain over the baseline that the student has, with its interval; 0.4 is 40 %.

    No figures where the interval of the topline's gain includes zero.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Reduction:
    """Word error rate reduction of the student relative to the baseline, 0.1 is 10 % fewer errors.

    With sequence training, of the one after it relative to the other after it.

    The limits and `p_better` are over recordings, `by_speaker` has those over speakers. `topline_share` is None where
    there was no topline.
    """

    set: str
    condition: str
    werr: float
    low: float
    high: float
    p_better: float
    by_speaker: SpeakerLimits = SpeakerLimits(0)
    topline_share: ToplineShare | None = None
