"""Greedy search of one utterance frame by frame, as a stream needs it; `greedy.py` has that of many at a time."""

from __future__ import annotations

from ssl_asr.lang.pieces import BLANK_ID
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.steps import Float32, TransducerSteps


class GreedySteps:
    """In every frame the most probable label, again and again, until it is blank; of equal ones the first.

    How the frames are cut changes nothing. After `max_symbols` labels in one frame the next symbol is taken to be
    blank.
    """

    def __init__(self, steps: TransducerSteps, max_symbols: int) -> None:
        self._steps, self._max_symbols = steps, max_symbols
        self.frames = 0  # that were searched
        self._predicted_1j, self._state = steps.begin()
        self._log_probability = 0.0
        self._emitted: list[tuple[int, int, float]] = []  # label, frame, log-probability

    def accept(self, encoded_tj: Float32) -> None:
        """The next frames [T, joiner]."""
        for encoded_j in encoded_tj:
            self._search_frame(encoded_j)
            self.frames += 1

    def hypotheses(self, most: int | None = None) -> list[Hypothesis]:
        """The only one, unless `most` is 0."""
        labels, frames, logs = zip(*self._emitted, strict=True) if self._emitted else ((), (), ())
        return [Hypothesis(labels, frames, logs, self._log_probability, self._log_probability)][:most]

    def _search_frame(self, encoded_j: Float32) -> None:
        for symbols in range(self._max_symbols + 1):
            logs_v = self._steps.log_probabilities(encoded_j, self._predicted_1j)[0]
            label = int(logs_v.argmax()) if symbols < self._max_symbols else BLANK_ID
            log = float(logs_v[label])
            self._log_probability += log
            if label == BLANK_ID:
                return
            self._emitted.append((label, self.frames, log))
            self._predicted_1j, self._state = self._steps.step([label], self._state)
