"""Doubted texts leave no trace in what is made without them."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.flat_model import FlatModel
from ssl_asr.hmm.tree import triphone_totals
from ssl_asr.hmm.trusted import trusted_model, trusted_moments, trusted_totals
from tests.hmm.toy_speech import TEXTS, right, spoken, toy_model


@pytest.fixture(scope="module")
def model() -> FlatModel:
    return toy_model()


def test_moments_and_totals_are_those_of_the_others(model):
    others = right()
    shard = [*others[:4], spoken("utt-wrong", TEXTS[4], heard=TEXTS[7]), *others[4:]]
    for made in (trusted_moments, trusted_totals):
        whole, without = made(shard, model), made(others, model)
        np.testing.assert_array_equal(whole.count, without.count)
    assert triphone_totals(shard, model).count.sum() > trusted_totals(shard, model).count.sum()
    np.testing.assert_allclose(trusted_totals(shard, model).total, triphone_totals(others, model).total)


def test_a_model_of_doubted_texts_alone_stays_as_it_is(model):
    wrong = [spoken(f"utt-{place}", TEXTS[place], heard=TEXTS[place - 3]) for place in range(len(TEXTS))]
    assert not len(trusted_totals(wrong, model).codes)
    assert trusted_model(lambda function, *arguments: [function(wrong, *arguments)], model) is model


@pytest.mark.parametrize("made", [trusted_moments, trusted_totals])
def test_an_empty_chunk_has_none(made, model):
    assert not made([], model).count.sum()
