"""Counts of a text's n-grams as arrays: the words by number on the local disk, the distinct n-grams in memory.

An n-gram of each order is a word after an n-gram of the order below, so one number of 64 bits names it, whatever the
order. The text is gone through in chunks, once for each order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]

BEGIN, END = "<s>", "</s>"
BEGIN_NUMBER, END_NUMBER = 0, 1  # of the marks among the words
CHUNK_WORDS = 1 << 20  # of the text, to be counted at once
_WORD_BITS = 32


@dataclass(frozen=True)
class NgramLevel:
    """The N distinct n-grams of one order, each numbered by its place here.

    `prefixes` [N], rising, and `suffixes` [N] are numbers of the order below: of the n-gram without its last and
    without its first word, both 0 for single words. `words` [N] are numbers of last words, rising for each prefix;
    `counts` [N] says how often the text has the n-gram, `firsts` [N] where first: how many words are before it.
    """

    prefixes: Int32
    words: Int32
    counts: Int64
    firsts: Int64
    suffixes: Int32

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True)
class NgramCounts:
    """`words` by number, and the n-grams of orders 1, 2, ..."""

    words: tuple[str, ...]
    levels: tuple[NgramLevel, ...]

    def spelled(self, order: int, ngrams: npt.NDArray[np.integer]) -> list[str]:
        """N-grams of this order, by their numbers, as words between spaces."""
        columns = list[list[str]]()
        for level in reversed(self.levels[:order]):
            columns.insert(0, self._names[level.words[ngrams]].tolist())
            ngrams = level.prefixes[ngrams]
        return [" ".join(spoken) for spoken in zip(*columns, strict=True)]

    @cached_property
    def _names(self) -> npt.NDArray[np.object_]:
        return np.array(self.words, object)


@dataclass(frozen=True)
class _Counted:
    """N-grams by rising key, which is the prefix's number and then the last word's."""

    keys: Int64
    counts: Int64
    firsts: Int64

    @classmethod
    def of(cls, parts: Iterable[_Counted]) -> _Counted:
        """Those of all parts, each once."""
        some = [*parts]
        keys = np.concatenate([part.keys for part in some])
        by_key = np.argsort(keys, kind="stable")
        keys = keys[by_key]
        begins = np.flatnonzero(np.diff(keys, prepend=-1))
        counts, firsts = (np.concatenate([getattr(part, name) for part in some]) for name in ("counts", "firsts"))
        return cls(keys[begins], np.add.reduceat(counts[by_key], begins), np.minimum.reduceat(firsts[by_key], begins))


def count_ngrams(sentences: Iterable[str], order: int, folder: str) -> NgramCounts:
    """All n-grams of up to `order` words of sentences between `BEGIN` and `END`; sentences without words don't count.

    `folder` is a local one, for 12 bytes a word. Whoever gives it deletes it. ValueError if there is no sentence, or
    if one holds a mark.
    """
    words = _write_numbers(sentences, Path(folder, "words"))
    if not words:
        raise ValueError("the language model's text holds no sentence; check corpus/lm_text.txt of the run")
    numbers: Int32 = np.memmap(Path(folder, "words"), np.int32, "r")
    levels, ranks = [_level(numbers, numbers, 1)], numbers
    for number in range(2, order + 1):
        if number > 2:  # of single words, the numbers are their own
            ranks = _ranks(numbers, ranks, levels[-1], number - 1, Path(folder, f"ranks-{number % 2}"))
        levels.append(_level(numbers, ranks, number))
    return NgramCounts(words, tuple(levels))


class _Numbers(dict[str, int]):
    """Numbers of words, in the order in which they are first asked for."""

    def __missing__(self, word: str) -> int:
        if word in (BEGIN, END):
            raise ValueError(f"a sentence of the language model's text holds {word}, which only marks sentences")
        self[word] = number = len(self) + 2
        return number


def _write_numbers(sentences: Iterable[str], file: Path) -> tuple[str, ...]:
    """Write the numbers of all words; returns the words, none where there is no sentence."""
    numbers, found = _Numbers(), array("i")
    with file.open("wb") as stream:
        for sentence in sentences:
            if spoken := sentence.split():
                found.append(BEGIN_NUMBER)
                found.extend(map(numbers.__getitem__, spoken))
                found.append(END_NUMBER)
            if len(found) >= CHUNK_WORDS:
                found.tofile(stream)
                del found[:]
        found.tofile(stream)
    return (BEGIN, END, *numbers) if numbers else ()


def _level(numbers: Int32, ranks: Int32, order: int) -> NgramLevel:
    """`ranks` are the numbers of the n-grams of the order below that begin at each word, where there is one."""
    counted = _merged(
        _Counted(keys, np.ones_like(keys), places) for places, keys in _chunks(numbers, ranks, order) if len(keys)
    )
    return NgramLevel(
        prefixes=(counted.keys >> _WORD_BITS).astype(np.int32),
        words=(counted.keys & ((1 << _WORD_BITS) - 1)).astype(np.int32),
        counts=counted.counts,
        firsts=counted.firsts,
        suffixes=ranks[counted.firsts + 1] if order > 1 else np.zeros(len(counted.keys), np.int32),
    )


def _chunks(numbers: Int32, ranks: Int32, order: int) -> Iterator[tuple[Int64, Int64]]:
    """Places and keys of the n-grams of the text, in its order."""
    past = len(numbers) - order + 1
    for begin in range(0, past, CHUNK_WORDS):
        end = min(begin + CHUNK_WORDS, past)
        places = np.arange(begin, end)
        words = numbers[begin + order - 1 : end + order - 1].astype(np.int64)
        if order == 1:
            yield places, words
            continue
        # No n-gram goes on after a sentence's end; of one that does, the order below says so already.
        prefixes = ranks[begin:end]
        whole = (prefixes >= 0) & (numbers[begin + order - 2 : end + order - 2] != END_NUMBER)
        yield places[whole], prefixes[whole].astype(np.int64) << _WORD_BITS | words[whole]


def _merged(parts: Iterable[_Counted]) -> _Counted:
    """Of parts whose sizes at least halve from one to the next, so that each n-gram is sorted few times."""
    empty = np.zeros(0, np.int64)
    stack = [_Counted(empty, empty, empty)]
    for part in parts:
        stack.append(_Counted.of([part]))
        while len(stack) > 1 and len(stack[-2].keys) < 2 * len(stack[-1].keys):
            stack[-2:] = [_Counted.of(stack[-2:])]
    return stack[0] if len(stack) == 1 else _Counted.of(stack)


def _ranks(numbers: Int32, below: Int32, level: NgramLevel, order: int, file: Path) -> Int32:
    """The number of the n-gram of `level` that begins at each word, -1 where there is none."""
    keys = level.prefixes.astype(np.int64) << _WORD_BITS | level.words
    ranks: Int32 = np.memmap(file, np.int32, "w+", shape=numbers.shape)
    ranks[:] = -1
    for places, found in _chunks(numbers, below, order):
        ranks[places] = np.searchsorted(keys, found)
    return ranks
