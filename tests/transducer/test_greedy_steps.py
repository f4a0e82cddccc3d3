"""The greedy search of a stream: it says what that of a batch says, however its frames come."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.recipe.predictor import PredictorSection, TransducerSearch
from ssl_asr.transducer.greedy_steps import GreedySteps
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.recognise import recognise
from tests.transducer.small import INPUTS, PREDICTORS, transducer
from tests.transducer.test_greedy import assert_same


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=6),
    st.sampled_from(PREDICTORS),
    st.sampled_from([1, 3]),
    st.integers(0, 99),
)
def test_it_says_what_a_batch_says(
    counts: list[int], predictor: PredictorSection, max_symbols: int, seed: int
) -> None:
    model = transducer(predictor, seed=seed)
    frames, steps = torch.randn(25, INPUTS), ModelSteps(model)
    encoded = steps.project(model.encode_whole(frames[None], torch.tensor([25]))[0])
    search = GreedySteps(steps, max_symbols)
    for count in [*counts, len(encoded)]:
        search.accept(encoded[search.frames : search.frames + count])
    assert search.frames == len(encoded)
    ((wanted,),) = recognise(model, [frames], TransducerSearch(beam=1, max_symbols=max_symbols))
    (found,) = search.hypotheses()
    assert_same(found, wanted)


@pytest.mark.parametrize("most", [0, 1])
def test_there_is_one_hypothesis(most: int) -> None:
    search = GreedySteps(ModelSteps(transducer()), 2)
    assert [each.labels for each in search.hypotheses(most)] == [()] * most
