"""Sums over a stream's rows so far, in which a row weighs less the older it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# From so many rows on scipy's filter is worth the most of a second that its import takes. A recogniser, which hears
# less at a time and has to start at once, never imports it.
_MANY_ROWS = 101


class DecayedSums:
    """A row that is `memory_rows` old weighs 1/e; `first` [columns] is a row that came before the stream.

    Cutting a stream into other pieces changes no bit of the result.
    """

    def __init__(self, first: Float64, memory_rows: float) -> None:
        self._decay = float(np.exp(-1.0 / memory_rows))
        self._state = self._decay * first  # the sum of the past rows, as it enters the next one

    def advance(self, rows: Float64) -> Float64:
        """The sums up to and including each of `rows` [rows, columns]; the stream goes on behind them."""
        if not len(rows):
            return rows
        return self._filter(rows) if len(rows) >= _MANY_ROWS else self._add_up(rows)

    def _filter(self, rows: Float64) -> Float64:
        from scipy.signal import lfilter

        sums, last = lfilter([1.0], [1.0, -self._decay], rows, axis=0, zi=self._state[None])
        self._state = last[0]
        return np.asarray(sums)

    def _add_up(self, rows: Float64) -> Float64:
        """The same, to the last bit."""
        sums = np.empty_like(rows)
        for row, total in zip(rows, sums, strict=True):
            np.add(row, self._state, out=total)
            self._state = self._decay * total
        return sums
