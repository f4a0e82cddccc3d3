"""What a search has found in an utterance so far."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Hypothesis:
    """Labels without blanks; of each, the 30 ms frame of its emission and its log-probability there.

    `frames` count from the utterance's begin. `log_probability` is that of all alignments which the search has seen,
    blanks included; `score` has the scores of labels added that a beam search was given. Both are in nats.
    """

    labels: tuple[int, ...]
    frames: tuple[int, ...]
    label_log_probabilities: tuple[float, ...]
    log_probability: float
    score: float

    def part(self, begin: int, end: int) -> Hypothesis:
        """Its labels from place `begin` to just before `end`; probability and score stay those of the whole."""
        return replace(
            self,
            labels=self.labels[begin:end],
            frames=self.frames[begin:end],
            label_log_probabilities=self.label_log_probabilities[begin:end],
        )
