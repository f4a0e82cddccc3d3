"""When each word of an utterance is said: from the phones that its frames are aligned with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.triphone_graph import triphone_graph
from ssl_asr.hmm.triphones import centres
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import SILENCE_ID


@dataclass(frozen=True)
class WordTime:
    """Frames [start, end) of a word; `before` is the first frame of the phone or silence before it."""

    start: int
    end: int
    before: int


def word_times(
    words: Sequence[str], lexicon: Lexicon, scores: npt.NDArray[np.floating], table: npt.NDArray[np.integer]
) -> tuple[WordTime, ...] | None:
    """Of `words` on the best path through scores [frames, senones]; None if no path fits the frames.

    `table` is the senone set's. KeyError for a word outside the lexicon.
    """
    codes = triphone_graph(words, lexicon).align(scores, table) if words else None
    if codes is None:
        return None
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    phones = centres(codes[starts], len(lexicon.phones)).tolist()
    spoken = [place for place, phone in enumerate(phones) if phone != SILENCE_ID]
    lengths = _lengths([phones[place] for place in spoken], words, lexicon)
    if lengths is None:
        return None
    ends = [*starts[1:].tolist(), len(codes)]
    times, at = [], 0
    for length in lengths:
        first, last = spoken[at], spoken[at + length - 1]
        times.append(WordTime(int(starts[first]), ends[last], int(starts[max(first - 1, 0)])))
        at += length
    return tuple(times)


def _lengths(phones: Sequence[int], words: Sequence[str], lexicon: Lexicon) -> list[int] | None:
    """How many of `phones` belong to each word; of several ways, one that prefers usual pronunciations."""
    ways: dict[int, list[int]] = {0: []}  # lengths so far, by the phones that they take
    for word in words:
        longer: dict[int, list[int]] = {}
        for at, lengths in ways.items():
            for pronunciation in lexicon.pronunciations[word]:
                end = at + len(pronunciation)
                if [lexicon.phones.ids[phone] for phone in pronunciation] == list(phones[at:end]):
                    longer.setdefault(end, [*lengths, len(pronunciation)])
        ways = longer
    return ways.get(len(phones))
