import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.fairness.halves import pairs_of, searched_half


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 99))
def test_every_stratum_is_halved_and_so_are_all(strata, seed):
    strata = np.array(strata)
    searched = searched_half(strata, seed)
    for stratum in np.unique(strata):
        inside = searched[strata == stratum]
        assert abs(int(inside.sum()) - int((~inside).sum())) <= 1
    assert abs(int(searched.sum()) - int((~searched).sum())) <= 1
    assert (searched == searched_half(strata, seed)).all()


def test_another_seed_has_other_halves():
    strata = np.zeros(40, int)
    assert (searched_half(strata, 1) != searched_half(strata, 2)).any()


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 3), st.integers(0, 99))
def test_speakers_are_paired_within_their_group(count, groups, seed):
    draw = np.random.default_rng(seed)
    vectors, channels = draw.normal(size=(count, 4)), draw.integers(groups, size=count)
    strata = pairs_of(vectors, channels)
    for stratum in np.unique(strata):
        assert len({*channels[strata == stratum].tolist()}) == 1
    for channel in np.unique(channels):
        sizes = np.unique(strata[channels == channel], return_counts=True)[1].tolist()
        assert sum(size % 2 for size in sizes) == sum(sizes) % 2
        assert max(sizes) <= 3


def test_a_far_place_of_a_few_speakers_is_in_both_halves():
    draw = np.random.default_rng(0)
    for away in (4, 5, 6):
        degrees = np.concatenate([draw.normal(size=(50, 2)), draw.normal((30, 0), size=(away, 2))])
        shuffled = draw.permutation(len(degrees))
        for seed in range(20):
            searched = searched_half(pairs_of(degrees[shuffled], np.zeros(len(degrees), int)), seed)
            there = searched[degrees[shuffled][:, 0] > 15]
            assert min(there.sum(), (~there).sum()) >= 2


def test_all_speakers_at_one_place_are_halved():
    assert len(np.unique(pairs_of(np.ones((9, 2)), np.zeros(9, int)))) == 4
