"""Word errors of one hypothesis, counted as NIST's sclite counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import kaldialign


@dataclass(frozen=True)
class Edits:
    """What turns a reference of `words` words into the hypothesis."""

    words: int = 0
    insertions: int = 0
    deletions: int = 0
    substitutions: int = 0

    @property
    def errors(self) -> int:
        return self.insertions + self.deletions + self.substitutions

    @property
    def word_error_rate(self) -> float:
        """Errors a reference word; with an empty reference, the number of errors, so that none is lost."""
        return self.errors / max(self.words, 1)

    def __add__(self, other: Edits) -> Edits:
        return Edits(
            self.words + other.words,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.substitutions + other.substitutions,
        )


def count_edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """Edits of the alignment that sclite would choose (insertion and deletion cost 3, substitution 4).

    Either may be empty. A reference word outside the lexicon counts like any other word and is always an error.
    """
    counts = kaldialign.edit_distance(list(reference), list(hypothesis), sclite_mode=True)
    return Edits(len(reference), counts["ins"], counts["del"], counts["sub"])


@dataclass(frozen=True)
class AlignedWord:
    """A reference word and what was recognised for it; one of them is "" at a deletion or an insertion."""

    reference: str
    hypothesis: str

    @property
    def right(self) -> bool:
        return self.reference == self.hypothesis


def align_words(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[AlignedWord, ...]:
    """The words side by side, in the alignment whose edits `count_edits` counts."""
    pairs = kaldialign.align(list(reference), list(hypothesis), "", sclite_mode=True)
    return tuple(AlignedWord(*pair) for pair in pairs)


def edits_of(aligned: Sequence[AlignedWord]) -> Edits:
    insertions = sum(not each.reference for each in aligned)
    deletions = sum(not each.hypothesis for each in aligned)
    wrong = sum(not each.right for each in aligned)
    return Edits(len(aligned) - insertions, insertions, deletions, wrong - insertions - deletions)


@dataclass(frozen=True)
class ScoredUtterance:
    """One system's errors on one utterance; `recording` is shared by the copies of it in other conditions.

    `other_channel` marks a test set that was recorded differently from the labeled speech.
    """

    id: str
    recording: str
    set: str
    condition: str
    edits: Edits
    speaker: str = ""
    other_channel: bool = False
