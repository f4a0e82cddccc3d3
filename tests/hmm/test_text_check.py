"""Texts that belong to their audio, and texts that belong to other audio, under a model that is known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.flat_model import FlatModel
from ssl_asr.hmm.text_check import COMPETITORS, Texts, align_and_check
from tests.hmm.toy_speech import TEXTS, right, spoken, toy_model


@pytest.fixture(scope="module")
def model() -> FlatModel:
    return toy_model()


def check(model: FlatModel, all_of_shard: list[Transcribed], place: int):
    own = all_of_shard[place]
    return align_and_check(model, own, Texts(all_of_shard).rivals(own))


def test_right_texts_are_believed_and_aligned_as_without_the_check(model):
    shard = right()
    for place, own in enumerate(shard):
        aligned, found = check(model, shard, place)
        assert found.probability > 0.9
        assert found.margin > 0
        assert (found.better, found.shift) == (None, 0)
        np.testing.assert_array_equal(aligned.labels, model.align(own).labels)
        assert aligned.log_likelihood == pytest.approx(model.align(own).log_likelihood)


@pytest.mark.parametrize("shift", [-1, 1])
def test_the_neighbour_that_a_text_was_taken_from_is_named(model, shift):
    shard = right()
    shard[4] = spoken("utt-4", TEXTS[4], heard=TEXTS[4 + shift])
    _, found = check(model, shard, 4)
    assert found.probability < 0.1
    assert found.margin < 0
    assert (found.better, found.shift) == (f"utt-{4 + shift}", shift)


def test_a_text_of_which_nothing_was_said_is_doubted(model):
    shard = right()
    shard[4] = spoken("utt-4", TEXTS[4], heard="my zoo see my fish")
    _, found = check(model, shard, 4)
    assert found.probability < 0.2


def test_equal_texts_and_those_that_do_not_fit_are_no_rivals():
    shard = right()
    shard[3] = replace(shard[4], id="utt-3")
    shard[5] = spoken("utt-5", "my dog see fish " * 9)
    rivals = Texts(shard).rivals(shard[4])
    assert rivals.neighbours == {}
    assert not {"utt-3", "utt-4", "utt-5"} & {each.id for each in rivals.drawn}
    assert len(rivals.drawn) == COMPETITORS


def test_the_draw_is_the_same_for_any_order_of_the_shard():
    shard = right()
    first = [each.id for each in Texts(shard).rivals(shard[4]).drawn]
    assert [each.id for each in Texts(shard[::-1]).rivals(shard[4]).drawn] == first


def test_an_utterance_alone_in_its_shard_is_not_checked(model):
    aligned, found = check(model, right()[:1], 0)
    assert aligned is not None
    assert found is None
