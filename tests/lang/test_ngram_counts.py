"""Counts of n-grams against a plain loop over the sentences."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.lang import ngram_counts
from ssl_asr.lang.ngram_counts import NgramCounts, count_ngrams

SENTENCES = st.lists(st.text("ab ", max_size=7), min_size=1, max_size=9).filter(lambda lines: "".join(lines).strip())


def counted(sentences: list[str], order: int, folder: Path, chunk: int = 1 << 20) -> NgramCounts:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "CHUNK_WORDS", chunk)
        return count_ngrams(sentences, order, str(folder))


def ngrams_of(sentences: list[str], order: int) -> list[tuple[int, str]]:
    """Place and words of every n-gram of this order."""
    found, before = [], 0
    for sentence in sentences:
        if words := sentence.split():
            marked = ["<s>", *words, "</s>"]
            found += [
                (before + place, " ".join(marked[place : place + order])) for place in range(len(marked) - order + 1)
            ]
            before += len(marked)
    return found


@given(sentences=SENTENCES, chunk=st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_every_ngram_is_counted_whatever_the_chunks(
    sentences: list[str], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = counted(sentences, 4, tmp_path_factory.mktemp("numbers"), chunk)
    names: list[list[str]] = [[""]]
    for order, level in enumerate(found.levels, 1):
        occurs = ngrams_of(sentences, order)
        names.append(found.spelled(order, np.arange(len(level))))
        assert dict(zip(names[-1], level.counts.tolist(), strict=True)) == Counter(ngram for _, ngram in occurs)
        firsts = {ngram: place for place, ngram in reversed(occurs)}
        assert dict(zip(names[-1], level.firsts.tolist(), strict=True)) == firsts
        for number, ngram in enumerate(names[-1]):
            spoken = ngram.split()
            assert names[-2][level.prefixes[number]] == " ".join(spoken[:-1])
            assert names[-2][level.suffixes[number]] == " ".join(spoken[1:])
            assert found.words[level.words[number]] == spoken[-1]
        keys = [*zip(level.prefixes.tolist(), level.words.tolist(), strict=True)]
        assert all(one < two for one, two in pairwise(keys))


def test_a_mark_within_a_sentence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a sentence of the language model's text holds </s>"):
        counted(["a b", "a </s> b"], 2, tmp_path)


def test_memory_is_that_of_distinct_ngrams(tmp_path: Path) -> None:
    """A text of the same ten sentences ten times as often needs no more."""
    sentences = [f"{first} {second} so it is" for first in "abcde" for second in ("yes", "no")]
    peaks = []
    for times in (100, 1000):
        text = sentences * times
        tracemalloc.start()
        found = counted(text, 3, tmp_path, chunk=1 << 10)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.levels[0].counts.sum() == 7 * 10 * times
    assert peaks[1] < 1.2 * peaks[0]
