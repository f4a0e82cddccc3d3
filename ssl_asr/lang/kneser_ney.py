"""Back-off n-grams of words, estimated by Kneser and Ney's discounting and written in ARPA form.

Kneser & Ney, "Improved backing-off for m-gram language modeling" (1995), without interpolation and without cut-offs,
as SRILM's `-ukndiscount -gt3min 0`. The file is that of the package kaldingram to the byte, which makes objects of
Python for every n-gram; these are arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from tempfile import TemporaryDirectory
from typing import TextIO

import numpy as np
import numpy.typing as npt

from ssl_asr.lang.ngram_counts import END_NUMBER, NgramCounts, NgramLevel, count_ngrams

Float64 = npt.NDArray[np.float64]

_NO_PROBABILITY = 1e-99
_LINES = 1 << 16  # to be made at once


def write_arpa(sentences: Iterable[str], order: int, file: TextIO) -> None:
    """An ARPA back-off model of `order` from sentences of space-separated words.

    In memory are the distinct n-grams, about 80 bytes for each of the order that has most. ValueError as of
    `count_ngrams`.
    """
    with TemporaryDirectory() as folder:
        counted = count_ngrams(sentences, order, folder)
    levels = counted.levels
    above = [*levels[1:], None]
    chances = [probabilities(level, above[number - 1], number) for number, level in enumerate(levels, 1)]
    file.write("\\data\\\n")
    file.writelines(f"ngram {number}={len(level)}\n" for number, level in enumerate(levels, 1))
    file.write("\n")
    for number, level in enumerate(levels, 1):
        back_offs = None
        if number < order:
            back_offs = back_off_weights(level, chances[number - 1], levels[number], chances[number])
        file.write(f"\\{number}-grams:\n")
        file.writelines(_lines(counted, number, chances[number - 1], back_offs))
        file.write("\n")
    file.write("\\end\\\n")


def discount(level: NgramLevel, order: int) -> float:
    """What is taken from each count, by how many n-grams occur once and twice; nothing from single words."""
    if order == 1:
        return 0.0
    once, twice = (int((level.counts == count).sum()) for count in (1, 2))
    return max(0.1, once) / (once + 2 * twice) if once + 2 * twice else 0.1


def probabilities(level: NgramLevel, above: NgramLevel | None, order: int) -> Float64:
    """Of the last word of each n-gram [N] after the words before it; `above` is the next order, None of the highest.

    By counts in the highest order. In the others by how many words stand before the n-gram, and by counts after the
    words that begin a sentence, before which no word stands.
    """
    counts = level.counts
    totals = _sums(level.prefixes, counts.astype(np.float64))
    if above is not None:
        before = np.bincount(above.suffixes, minlength=len(level))
        befores = _sums(level.prefixes, before.astype(np.float64))
        counts, totals = np.where(befores > 0, before, counts), np.where(befores > 0, befores, totals)
    chances: Float64 = np.maximum(counts - discount(level, order), 0.0) / totals
    return chances


def back_off_weights(level: NgramLevel, chances: Float64, above: NgramLevel, chances_above: Float64) -> Float64:
    """Of each n-gram [N] as a history, NaN where it has none: what its known words leave, over what they leave below.

    `chances` and `chances_above` are the `probabilities` of `level` and of the next order, `above`.
    """
    # In the order of the text, for the last bits of a sum depend on the order.
    by_place = np.argsort(above.firsts)
    histories, size = above.prefixes[by_place], len(level)
    known = np.bincount(histories, chances_above[by_place], size)
    below = np.bincount(histories, chances[above.suffixes[by_place]], size)
    weights = np.full(size, np.nan)
    goes_on = (level.words != END_NUMBER) & (below < 1)
    weights[goes_on] = (1.0 - known[goes_on]) / (1.0 - below[goes_on])
    return weights


def _sums(groups: npt.NDArray[np.int32], values: Float64) -> Float64:
    """Of whole numbers, by group; for each member that of its group."""
    return np.bincount(groups, values).astype(np.float64)[groups]


def _lines(counted: NgramCounts, order: int, chances: Float64, back_offs: Float64 | None) -> Iterator[str]:
    in_order = _by_history(counted.levels[order - 1])
    for begin in range(0, len(in_order), _LINES):
        some = in_order[begin : begin + _LINES]
        weights = [math.nan] * len(some) if back_offs is None else back_offs[some].tolist()
        for chance, ngram, weight in zip(chances[some].tolist(), counted.spelled(order, some), weights, strict=True):
            line = f"{math.log10(chance or _NO_PROBABILITY):.7f}\t{ngram}"
            yield f"{line}\n" if math.isnan(weight) else f"{line}\t{math.log10(weight):.7f}\n"


def _by_history(level: NgramLevel) -> npt.NDArray[np.int64]:
    """N-grams by history and word, both in the order in which the text first has them."""
    if not len(level):
        return np.zeros(0, np.int64)
    begins = np.flatnonzero(np.diff(level.prefixes, prepend=-1))
    sizes = np.diff(begins, append=len(level))
    found: npt.NDArray[np.int64] = np.lexsort(
        (level.firsts, np.repeat(np.minimum.reduceat(level.firsts, begins), sizes))
    )
    return found
