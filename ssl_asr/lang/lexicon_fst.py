"""The lexicon transducer: phones in, words out, optional silence between words and at both ends.

Phone p is input label p + 1. For determinization, homophones and words that begin other
words end in a disambiguation symbol, as in Mohri, Pereira & Riley, "Speech recognition with weighted
finite-state transducers" (2008), section 3.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import kaldifst

from ssl_asr.lang.phones import SILENCE, PhoneSet

Entry = tuple[str, Sequence[str]]  # a word and one of its pronunciations


def lexicon_fst(
    entries: Sequence[Entry],
    word_ids: Mapping[str, int],
    phones: PhoneSet,
    *,
    disambiguate: bool,
    silence_probability: float = 0.5,
) -> tuple[Any, list[int]]:
    """(kaldifst.StdVectorFst, disambiguation ids) of pronunciations by `phones`; word ids are above 0.

    The ids are input labels above those of the phones: the first is "#0", left free for a language model's
    back-off; the last follows optional silence. The list is empty without `disambiguate`.
    """
    marks = _marks(entries) if disambiguate else [0] * len(entries)
    first = len(phones) + 1
    silence_mark = first + max(marks, default=0) + 1
    fst, loop, pause = _silence(phones, silence_mark if disambiguate else None, silence_probability)
    no_pause, to_pause = -math.log(1 - silence_probability), -math.log(silence_probability)
    for (word, spoken), mark in zip(entries, marks, strict=True):
        assert spoken, f"{word} has no phones"
        labels = [phones.ids[phone] + 1 for phone in spoken] + ([first + mark] if mark else [])
        state, output = loop, word_ids[word]
        for label in labels[:-1]:
            following = fst.add_state()
            fst.add_arc(state, kaldifst.StdArc(label, output, 0.0, following))
            state, output = following, 0
        fst.add_arc(state, kaldifst.StdArc(labels[-1], output, no_pause, loop))
        fst.add_arc(state, kaldifst.StdArc(labels[-1], output, to_pause, pause))
    return fst, list(range(first, silence_mark + 1)) if disambiguate else []


def _silence(phones: PhoneSet, mark: int | None, probability: float) -> tuple[Any, int, int]:
    """An FST of optional silence at the beginning, the state that words leave from, and the state before silence."""
    fst = kaldifst.StdVectorFst()
    start, loop, pause = fst.add_state(), fst.add_state(), fst.add_state()
    fst.start = start
    fst.set_final(loop, 0.0)
    fst.add_arc(start, kaldifst.StdArc(0, 0, -math.log(1 - probability), loop))
    fst.add_arc(start, kaldifst.StdArc(0, 0, -math.log(probability), pause))
    label = phones.ids[SILENCE] + 1
    if mark is None:
        fst.add_arc(pause, kaldifst.StdArc(label, 0, 0.0, loop))
    else:
        marked = fst.add_state()
        fst.add_arc(pause, kaldifst.StdArc(label, 0, 0.0, marked))
        fst.add_arc(marked, kaldifst.StdArc(mark, 0, 0.0, loop))
    return fst, loop, pause


def _marks(entries: Sequence[Entry]) -> list[int]:
    """Number of the disambiguation symbol at the end of each pronunciation; 0 if it needs none."""
    pronunciations = [tuple(phones) for _, phones in entries]
    count = Counter(pronunciations)
    beginnings = {phones[:length] for phones in pronunciations for length in range(1, len(phones))}
    last: Counter[tuple[str, ...]] = Counter()
    marks = []
    for phones in pronunciations:
        needed = count[phones] > 1 or phones in beginnings
        last[phones] += needed
        marks.append(last[phones] if needed else 0)
    return marks
