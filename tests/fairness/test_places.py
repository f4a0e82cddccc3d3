import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.fairness.geography import east_longitude, grid_of
from ssl_asr.fairness.places import counted_from, west_of


@pytest.mark.parametrize(
    ("longitudes", "west"),
    [
        ([-120.0, -70.0], -180.0),
        ([-10.0, 30.0], -180.0),
        ([100.0], -180.0),
        ([-180.0, -170.0], 5.0),  # -180 and 180 are one place
        ([180.0, -170.0], 5.0),
        ([175.0, -170.0], 2.0),
    ],
)
def test_longitudes_begin_at_the_180th_meridian_unless_speakers_live_there(longitudes, west):
    assert west_of(np.array(longitudes)) == west


@settings(deadline=None)
@given(st.lists(st.floats(-180, 180), min_size=1, max_size=20))
def test_no_speakers_live_on_both_sides_of_the_jump(longitudes):
    found = np.array(longitudes)
    counted = counted_from(west_of(found), found)
    assert np.allclose((counted - found) % 360 % 360, 0, atol=1e-9)
    around = np.unique(found % 360)
    widest = np.diff(around, append=around[0] + 360).max()
    assert np.ptp(counted) <= 360 - widest + 1e-6
    assert all(-180 <= east_longitude(each) <= 180 for each in counted)


def test_the_grid_shows_no_place_of_one_speaker():
    degrees = np.array([[40.0, 8.0], [40.01, 8.01], [47.0, 9.0], [47.0, 9.001], [43.0, 7.0]])
    places = grid_of(degrees)
    assert [place.speakers for place in places] == [2, 2]
    for place, near in zip(places, ([40, 8], [47, 9]), strict=True):
        assert np.abs(np.array([place.latitude, place.longitude]) - near).max() < 0.4
        assert (place.latitude, place.longitude) not in [tuple(each) for each in degrees.tolist()]
