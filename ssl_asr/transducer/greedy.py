"""Greedy search: in every frame the most probable label, again and again, until it is blank.

Many utterances at a time, each at its own pace: the next label of every utterance is looked for in its next few
frames at once, as nothing changes for the predictor until there is one. So a batch takes as many rounds as its
longest text has labels, and some for silences, but not one a frame (Bataev et al., "Label-looping", 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.predictor import rows_of

_WINDOW = 4  # frames in which the next label is looked for; a label of 256 comes about every fifth frame


@dataclass(frozen=True)
class _Round:
    """What each of n utterances says next: `blanks_n` frames of blank, then a label where `speaks_n`."""

    blanks_n: torch.Tensor
    speaks_n: torch.Tensor
    labels_n: torch.Tensor
    label_logs_n: torch.Tensor
    blank_logs_n: torch.Tensor  # of all those blanks


class GreedySearch:
    """Of `n` utterances, whose encoder outputs come in chunks; how they are cut changes nothing.

    After `max_symbols` labels in one frame the next symbol is taken to be blank.
    """

    def __init__(self, model: TransducerModel, n: int, max_symbols: int) -> None:
        self.model, self.max_symbols = model, max_symbols
        with torch.inference_mode():
            self._predicted_bj, self._state = model.begin(n)
        self.frames_b = torch.zeros(n, dtype=torch.long, device=self._predicted_bj.device)  # that were searched
        self._logs_b = torch.zeros(n, dtype=torch.float64, device=self._predicted_bj.device)
        self._emitted: list[list[tuple[int, int, float]]] = [[] for _ in range(n)]

    @torch.inference_mode()
    def accept(self, encoded_bte: torch.Tensor, lengths_b: torch.Tensor) -> None:
        """The next frames [B, T, encoder width]; of each utterance `lengths_b`, perhaps none, are no padding."""
        projected_btj = self.model.project(encoded_bte)
        lengths_b = lengths_b.to(self.frames_b)
        place_b, symbols_b = torch.zeros_like(lengths_b), torch.zeros_like(lengths_b)
        rows = lengths_b.nonzero().squeeze(1)
        while len(rows):
            full_n = symbols_b[rows] >= self.max_symbols
            said = self._round(projected_btj, rows, place_b[rows], lengths_b[rows], full_n)
            place_b[rows] += said.blanks_n
            again_n = torch.where(said.blanks_n == 0, symbols_b[rows] + 1, 1)
            symbols_b[rows] = again_n * said.speaks_n
            self._logs_b[rows] += said.blank_logs_n
            self._emit(rows[said.speaks_n], said, self.frames_b + place_b)
            rows = rows[place_b[rows] < lengths_b[rows]]
        self.frames_b += lengths_b

    def hypotheses(self) -> list[Hypothesis]:
        """Of each utterance so far."""
        found = []
        for emitted, log_probability in zip(self._emitted, self._logs_b.tolist(), strict=True):
            labels, frames, logs = zip(*emitted, strict=True) if emitted else ((), (), ())
            found.append(Hypothesis(labels, frames, logs, log_probability, log_probability))
        return found

    def _round(
        self,
        projected_btj: torch.Tensor,
        rows: torch.Tensor,
        place_n: torch.Tensor,
        lengths_n: torch.Tensor,
        full_n: torch.Tensor,
    ) -> _Round:
        longest = projected_btj.shape[1]
        window_w = torch.arange(min(_WINDOW, longest), device=rows.device)
        place_nw = place_n[:, None] + window_w
        inside_nw = place_nw < lengths_n[:, None]
        frames_nwj = projected_btj[rows[:, None], place_nw.clamp(max=longest - 1)]
        logs_nwv = self.model.log_probabilities(frames_nwj, self._predicted_bj[rows][:, None])
        best_nw, labels_nw = logs_nwv.max(-1)
        speaks_nw = inside_nw & (labels_nw != BLANK_ID)
        speaks_nw[:, 0] &= ~full_n
        speaks_n = speaks_nw.any(1)
        first_n = torch.where(speaks_n, speaks_nw.int().argmax(1), inside_nw.sum(1))
        here_n1 = first_n.clamp(max=len(window_w) - 1)[:, None]
        blank_logs_nw = logs_nwv[..., BLANK_ID].masked_fill(window_w >= first_n[:, None], 0.0)
        return _Round(
            first_n,
            speaks_n,
            labels_nw.gather(1, here_n1).squeeze(1),
            best_nw.gather(1, here_n1).squeeze(1),
            blank_logs_nw.sum(1, dtype=torch.float64),
        )

    def _emit(self, rows: torch.Tensor, said: _Round, frames_b: torch.Tensor) -> None:
        """Take the labels of `rows`, which are those that speak."""
        if not len(rows):
            return
        labels, logs = said.labels_n[said.speaks_n], said.label_logs_n[said.speaks_n]
        self._predicted_bj[rows], after = self.model.step(labels, rows_of(self._state, rows))
        for each, new in zip(self._state, after, strict=True):
            each[:, rows] = new
        self._logs_b[rows] += logs
        emitted = zip(rows.tolist(), labels.tolist(), frames_b[rows].tolist(), logs.tolist(), strict=True)
        for row, label, frame, log in emitted:
            self._emitted[row].append((label, frame, log))
