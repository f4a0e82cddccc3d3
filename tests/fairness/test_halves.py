import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.fairness.halves import searched_half


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
