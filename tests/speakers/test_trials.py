"""Trials: who is enrolled, who is tested, and that nothing depends on the order of utterances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.speakers.trials import Spoken, TrialSettings, cosine_scores, make_trials


def spoken(*counts: int) -> list[Spoken]:
    return [Spoken(f"{name}{n}", f"speaker {name}") for name, count in enumerate(counts) for n in range(count)]


def claims(utterances, trials) -> set[tuple[str, str]]:
    ids = [utterances[place].id for place in trials.tests]
    return set(zip(ids, [trials.speakers[number] for number in trials.claimed], strict=True))


@given(st.permutations(spoken(5, 1, 2, 9)))
def test_trials_depend_on_the_utterances_alone(mixed):
    first, settings = spoken(5, 1, 2, 9), TrialSettings(enrolled=3)
    one, other = make_trials(first, settings), make_trials(mixed, settings)
    assert claims(first, one) == claims(mixed, other)
    assert [{mixed[place].id for place in each} for each in other.enrolled] == [
        {first[place].id for place in each} for each in one.enrolled
    ]


def test_no_utterance_both_enrols_and_tests_and_each_is_tried_against_all():
    utterances = spoken(5, 1, 2, 9)
    trials = make_trials(utterances, TrialSettings(enrolled=3))
    assert trials.single == 1
    assert list(trials.speakers) == ["speaker 0", "speaker 2", "speaker 3"]
    assert [len(each) for each in trials.enrolled] == [3, 1, 3]
    assert not {*trials.tests.tolist()} & {*np.concatenate(trials.enrolled).tolist()}
    assert len(trials.tests) == 3 * ((5 - 3) + (2 - 1) + (9 - 3))
    assert trials.is_target.sum() == 9
    assert all(
        utterances[place].speaker == trials.speakers[by]
        for place, by in zip(trials.tests, trials.spoken_by, strict=True)
    )


def test_tests_and_impostors_are_limited():
    utterances = spoken(*[6] * 8)
    trials = make_trials(utterances, TrialSettings(enrolled=2, most_tests=3, most_impostors=4))
    assert len(trials.tests) == 8 * 3 * (1 + 4)
    pairs = list(zip(trials.tests.tolist(), trials.claimed.tolist(), strict=True))
    assert len({*pairs}) == len(pairs)
    assert {*trials.claimed[~trials.is_target].tolist()} == set(range(8))


@pytest.mark.parametrize("counts", [(), (5,), (1, 1, 1), (7, 1)])
def test_too_few_speakers_are_told(counts):
    with pytest.raises(ValueError, match="two speakers with two utterances each"):
        make_trials(spoken(*counts), TrialSettings())


def test_scores_are_cosines_with_the_mean_of_unit_vectors():
    utterances = spoken(3, 3)
    vectors = np.random.default_rng(0).normal(size=(6, 4)) * np.array([1, 9, 1, 1, 5, 1])[:, None]
    trials = make_trials(utterances, TrialSettings(enrolled=2))
    for score, test, claimed in zip(cosine_scores(vectors, trials), trials.tests, trials.claimed, strict=True):
        model = sum(vectors[place] / np.linalg.norm(vectors[place]) for place in trials.enrolled[claimed])
        assert score == pytest.approx(vectors[test] @ model / np.linalg.norm(vectors[test]) / np.linalg.norm(model))
