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

import torch

from ssl_asr.lang.word_pieces import BLANK_ID
from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.predictor import PredictorState, rows_of

# Of k sequences of labels, what is added to the log-probability of each next label, [k, outputs], such as a weighted
# n-gram's log-probabilities. It must depend on the labels alone. Column 0, blank's, does not count.
LabelScores = Callable[[Sequence[tuple[int, ...]]], torch.Tensor]


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


@dataclass(frozen=True)
class _Rows:
    """Of k sequences: predictor outputs as the joiner takes them, the predictor's state, scores of next labels."""

    predicted_kj: torch.Tensor
    state: PredictorState
    scores_kv: torch.Tensor | None

    def select(self, rows: Sequence[int]) -> _Rows:
        if list(rows) == list(range(len(self.predicted_kj))):
            return self
        index = torch.tensor(rows, device=self.predicted_kj.device)
        scores = None if self.scores_kv is None else self.scores_kv[index]
        return _Rows(self.predicted_kj[index], rows_of(self.state, index), scores)


class BeamSearch:
    """Of one utterance, whose encoder outputs come in chunks; how they are cut changes nothing.

    `settings.beam` sequences are kept after every frame.
    """

    def __init__(
        self, model: TransducerModel, settings: TransducerSearch, label_scores: LabelScores | None = None
    ) -> None:
        self.model, self.settings, self.label_scores = model, settings, label_scores
        self.frames = 0  # that were searched
        with torch.inference_mode():
            self._rows = self._made([()], *model.begin(1))
        self._kept = [_Sequence((), (), (), 0.0, 0.0, 0.0, 0)]

    @torch.inference_mode()
    def accept(self, encoded_te: torch.Tensor) -> None:
        """The next frames [T, encoder width]."""
        for projected_j in self.model.project(encoded_te):
            self._search_frame(projected_j)
            self.frames += 1

    def hypotheses(self, most: int | None = None) -> list[Hypothesis]:
        """The best so far, the best first."""
        return [
            Hypothesis(each.labels, each.frames, each.label_logs, each.all_logs, each.score)
            for each in self._kept[:most]
        ]

    def _made(self, labels: Sequence[tuple[int, ...]], predicted_kj: torch.Tensor, state: PredictorState) -> _Rows:
        scores = None if self.label_scores is None else self.label_scores(labels).to(predicted_kj)
        return _Rows(predicted_kj, state, scores)

    def _search_frame(self, projected_j: torch.Tensor) -> None:
        """Each round gives every sequence a blank, which ends the frame, or one more label."""
        over: dict[tuple[int, ...], _Sequence] = {}
        sequences, rows, all_rows = self._kept, self._rows, [self._rows]
        for symbols in range(self.settings.max_symbols + 1):
            logs_kv = self.model.log_probabilities(projected_j, rows.predicted_kj)
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
        """What a sequence must score to be kept, as enough others are over this frame: a blank only lowers it."""
        if len(over) < self.settings.beam:
            return -math.inf
        return heapq.nlargest(self.settings.beam, (each.score for each in over.values()))[-1]

    def _extended(
        self,
        sequences: Sequence[_Sequence],
        logs_kv: torch.Tensor,
        scores_kv: torch.Tensor | None,
        least: float,
        first_row: int,
    ) -> list[_Sequence]:
        """The best sequences that are longer by a label, best first."""
        totals_kv = logs_kv if scores_kv is None else logs_kv + scores_kv
        totals_kv = totals_kv + totals_kv.new_tensor([each.score for each in sequences])[:, None]
        totals_kv[:, BLANK_ID] = -math.inf
        outputs = totals_kv.shape[1]
        totals, places = totals_kv.flatten().topk(min(self.settings.beam, totals_kv.numel() - len(sequences)))
        places = places[totals > least]
        logs = logs_kv.flatten()[places].tolist()
        added = [0.0] * len(logs) if scores_kv is None else scores_kv.flatten()[places].tolist()
        return [
            sequences[place // outputs].with_label(
                place % outputs, log, added=more, frame=self.frames, row=first_row + number
            )
            for number, (place, log, more) in enumerate(zip(places.tolist(), logs, added, strict=True))
        ]

    def _stepped(self, longer: Sequence[_Sequence], sequences: Sequence[_Sequence], rows: _Rows) -> _Rows:
        """The predictor after the last labels of `longer`, which come from `sequences` with `rows`."""
        parents = {each.labels: row for row, each in enumerate(sequences)}
        device = rows.predicted_kj.device
        index = torch.tensor([parents[each.labels[:-1]] for each in longer], device=device)
        labels = torch.tensor([each.labels[-1] for each in longer], device=device)
        return self._made([each.labels for each in longer], *self.model.step(labels, rows_of(rows.state, index)))


def _joined(rows: Sequence[_Rows]) -> _Rows:
    if len(rows) == 1:
        return rows[0]
    scores = [each.scores_kv for each in rows if each.scores_kv is not None]
    return _Rows(
        torch.cat([each.predicted_kj for each in rows]),
        tuple(torch.cat(parts, 1) for parts in zip(*(each.state for each in rows), strict=True)),
        torch.cat(scores) if scores else None,
    )
