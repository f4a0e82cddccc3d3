import pytest
from pydantic import ValidationError

from ssl_asr.recipe import Mixtures


def test_a_range_has_its_least_value_first():
    with pytest.raises(ValidationError, match="turns: the least, 3, is above the most, 2"):
        Mixtures(turns=(3, 2))
    with pytest.raises(ValidationError, match=r"pause_seconds: the least, 1, is above the most, 0\.5"):
        Mixtures(pause_seconds=(1, 0.5))


def test_nothing_outside_the_limits():
    for wrong in ({"turns": (0, 2)}, {"overlap_share": 1.1}, {"level_db": -1}, {"longest_seconds": 0}):
        with pytest.raises(ValidationError):
            Mixtures.model_validate(wrong)
