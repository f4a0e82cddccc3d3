"""ARPA files against those of kaldingram, which counts by objects of Python: the same to the byte."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kaldingram.train import NgramCounts as PeerCounts

from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.lang import ngram_counts
from ssl_asr.lang.kneser_ney import write_arpa
from ssl_asr.lang.text import A_TO_Z
from tests.conftest import CACHE

WORDS = st.sampled_from(["a", "b", "c", "d", "ё", "it's"])
SENTENCES = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=30)


def arpa_of(sentences: list[str], order: int) -> str:
    file = io.StringIO()
    write_arpa(sentences, order, file)
    return file.getvalue()


def by_kaldingram(sentences: list[str], order: int) -> str:
    counts, file = PeerCounts(order), io.StringIO()
    with contextlib.redirect_stderr(io.StringIO()):  # progress bars
        for sentence in sentences:
            counts.add_raw_counts_from_line(sentence)
        counts.cal_discounting_constants()
        counts.cal_f()
        counts.cal_bow()
        counts.print_as_arpa(file)
    return file.getvalue()


@given(sentences=SENTENCES, order=st.integers(1, 5), chunk=st.sampled_from([3, 20, 1 << 20]))
@example(sentences=["a"], order=5, chunk=3)  # which has no n-gram of more than three words
@example(sentences=["a b", "a b"], order=2, chunk=3)  # no n-gram occurs once
@settings(max_examples=150, deadline=None)
def test_a_model_is_kaldingrams_to_the_byte(sentences: list[str], order: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "CHUNK_WORDS", chunk)
        assert arpa_of(sentences, order) == by_kaldingram(sentences, order)


@pytest.mark.parametrize("order", [3, 4])
def test_a_model_of_what_people_said_is_too(order: int) -> None:
    said = sorted(A_TO_Z.normalise(each.text or "") for each in open_speech(CACHE).utterances)
    texts = [text for text in said if text][::4]
    assert len(texts) > 1500
    assert arpa_of(texts, order) == by_kaldingram(texts, order)
