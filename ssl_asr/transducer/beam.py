"""Beam search frame by frame: the best sequences of labels, each with all of its alignments.

Time-synchronous decoding, as algorithm 1 of Saon, Tüske and Audhkhasi, "Alignment-length synchronous decoding for RNN
transducer" (2020). Alignments of the same labels are one hypothesis, whose probabilities are added up. So with a beam
that is wide enough, the score of a text is minus its transducer loss.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.steps import Float32, StepState, TransducerSteps, rows_of

# Of k sequences of labels, what is added to the log-probability of each next label, [k, outputs], such as a weighted
# n-gram's log-probabilities. It must depend on the labels alone. Column 0, blank's, does not count.
LabelScores = Callable[[Sequence[tuple[int, ...]]], Float32]


@dataclass(frozen=True)
class _Sequence:
    """A sequence of labels: log-probability of all its alignments, and frames and labels of the best of these.

    `added` is what `LabelScores` gave to its labels; `row` is where the tensors of this frame have it.
    """

    labels: tuple[int, ...]
    frames: tuple[int, ...]
    label_logs: tuple[float, ...]
    all_logs: float
    best_log: float
    added: float
    row: int

    @property
    def score(self) -> float:
        return self.all_logs + self.added

    @property
    def rank(self) -> tuple[float, tuple[int, ...]]:
        """The best sequence has the smallest."""
        return -self.score, self.labels

    def after(self, log: float) -> _Sequence:
        """Its alignments go on with something of this log-probability."""
        return replace(self, all_logs=self.all_logs + log, best_log=self.best_log + log)

    def with_label(self, label: int, log: float, *, added: float, frame: int, row: int) -> _Sequence:
        """The sequence that is longer by a label of this log-probability."""
        return _Sequence(
            (*self.labels, label),
            (*self.frames, frame),
            (*self.label_logs, log),
            self.all_logs + log,
            self.best_log + log,
            self.added + added,
            row,
        )

    def merged(self, other: _Sequence) -> _Sequence:
        """With other alignments of the same labels."""
        high, low = max(self.all_logs, other.all_logs), min(self.all_logs, other.all_logs)
        both = high + math.log1p(math.exp(low - high))
        better = self if self.best_log >= other.best_log else other
        return replace(better, all_logs=both, row=self.row)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Of k sequences: predictor outputs as the joiner takes them, the predictor's state, scores of next labels."""

    predicted_kj: Float32
    state: StepState
    scores_kv: Float32 | None

    def select(self, rows: Sequence[int]) -> _Rows:
        if list(rows) == list(range(len(self.predicted_kj))):
            return self
        scores = None if self.scores_kv is None else self.scores_kv[list(rows)]
        return _Rows(self.predicted_kj[list(rows)], rows_of(self.state, rows), scores)


class BeamSearch:
    """Of one utterance, whose encoder outputs come in chunks; how they are cut changes nothing.

    `settings.beam` sequences are kept after every frame.
    """

    def __init__(
        self, steps: TransducerSteps, settings: TransducerSearch, label_scores: LabelScores | None = None
    ) -> None:
        self.steps, self.settings, self.label_scores = steps, settings, label_scores
        self.frames = 0  # that were searched
        self._rows = self._made([()], *steps.begin())
        self._kept = [_Sequence((), (), (), 0.0, 0.0, 0.0, 0)]

    def accept(self, encoded_tj: Float32) -> None:
        """The next frames [T, joiner]."""
        for encoded_j in encoded_tj:
            self._search_frame(encoded_j)
            self.frames += 1

    def hypotheses(self, most: int | None = None) -> list[Hypothesis]:
        """The best so far, the best first."""
        return [
            Hypothesis(each.labels, each.frames, each.label_logs, each.all_logs, each.score)
            for each in self._kept[:most]
        ]

    def _made(self, labels: Sequence[tuple[int, ...]], predicted_kj: Float32, state: StepState) -> _Rows:
        return _Rows(predicted_kj, state, None if self.label_scores is None else self.label_scores(labels))

    def _search_frame(self, encoded_j: Float32) -> None:
        """Each round gives every sequence a blank, which ends the frame, or one more label."""
        over: dict[tuple[int, ...], _Sequence] = {}
        sequences, rows, all_rows = self._kept, self._rows, [self._rows]
        for symbols in range(self.settings.max_symbols + 1):
            logs_kv = self.steps.log_probabilities(encoded_j, rows.predicted_kj)
            for each, log in zip(sequences, logs_kv[:, BLANK_ID].tolist(), strict=True):
                ended = each.after(log)
                known = over.get(each.labels)
                over[each.labels] = ended if known is None else known.merged(ended)
            if symbols == self.settings.max_symbols:
                break
            first_row = sum(len(each.predicted_kj) for each in all_rows)
            longer = self._extended(sequences, logs_kv, rows.scores_kv, self._least(over), first_row)
            if not longer:
                break
            sequences, rows = longer, self._stepped(longer, sequences, rows)
            all_rows.append(rows)
        best = heapq.nsmallest(self.settings.beam, over.values(), key=lambda each: each.rank)
        self._rows = _joined(all_rows).select([each.row for each in best])
        self._kept = [replace(each, row=row) for row, each in enumerate(best)]

    def _least(self, over: dict[tuple[int, ...], _Sequence]) -> float:
        """What a sequence must score to be looked at further, once enough others are over this frame.

        A blank only lowers a score. Still it is an approximation: a sequence below it might have added its alignments
        to another of the same labels, and `LabelScores` may raise a score.
        """
        if len(over) < self.settings.beam:
            return -math.inf
        return heapq.nlargest(self.settings.beam, (each.score for each in over.values()))[-1]

    def _extended(
        self,
        sequences: Sequence[_Sequence],
        logs_kv: Float32,
        scores_kv: Float32 | None,
        least: float,
        first_row: int,
    ) -> list[_Sequence]:
        """The best sequences that are longer by a label, the best first; of equal ones the first row and label."""
        added_kv = np.zeros_like(logs_kv) if scores_kv is None else scores_kv
        totals_kv = logs_kv + added_kv + np.array([each.score for each in sequences], np.float32)[:, None]
        totals_kv[:, BLANK_ID] = -math.inf
        longer = []
        for number, (row, label) in enumerate(_largest(totals_kv, self.settings.beam, least)):
            log, added = float(logs_kv[row, label]), float(added_kv[row, label])
            place = first_row + number
            longer.append(sequences[row].with_label(label, log, added=added, frame=self.frames, row=place))
        return longer

    def _stepped(self, longer: Sequence[_Sequence], sequences: Sequence[_Sequence], rows: _Rows) -> _Rows:
        """The predictor after the last labels of `longer`, which come from `sequences` with `rows`."""
        parents = {each.labels: row for row, each in enumerate(sequences)}
        state = rows_of(rows.state, [parents[each.labels[:-1]] for each in longer])
        return self._made(
            [each.labels for each in longer], *self.steps.step([each.labels[-1] for each in longer], state)
        )


def _largest(totals_kv: Float32, most: int, least: float) -> list[tuple[int, int]]:
    """(row, column) of at most `most` values above `least`, which may be minus infinity; the largest first."""
    flat = totals_kv.ravel()
    places = np.argpartition(flat, -most)[-most:] if most < len(flat) else np.arange(len(flat))
    places = places[flat[places] > least]
    ordered = places[np.lexsort((places, -flat[places]))]
    return [divmod(place, totals_kv.shape[1]) for place in ordered.tolist()]


def _joined(rows: Sequence[_Rows]) -> _Rows:
    if len(rows) == 1:
        return rows[0]
    scores = [each.scores_kv for each in rows if each.scores_kv is not None]
    return _Rows(
        np.concatenate([each.predicted_kj for each in rows]),
        tuple(np.concatenate(parts, 1) for parts in zip(*(each.state for each in rows), strict=True)),
        np.concatenate(scores) if scores else None,
    )
