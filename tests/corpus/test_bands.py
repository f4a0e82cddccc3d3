import pytest

from ssl_asr.corpus.bands import narrow_band
from ssl_asr.recipe import Frontend

WIDE = Frontend()
TELEPHONE = Frontend(sample_rate=8000, high_hz=3900)


def test_labeled_speech_without_the_band_is_refused_with_the_values_to_set() -> None:
    with pytest.raises(ValueError, match=r"^corpus\.labeled: all 2\.0 hours have nothing above 4,000 Hz") as caught:
        narrow_band({"8000": 7200.0}, "labeled", WIDE)
    assert "frontend.high_hz is 7,600; set frontend.sample_rate=8000 and frontend.high_hz=3900" in str(caught.value)
    assert narrow_band({"8000": 7200.0}, "labeled", TELEPHONE) is None


def test_some_such_speech_is_told_by_hours() -> None:
    rates = {"8000": 3600.0, "11025": 1800.0, "16000": 36000.0, "48000": 360.0}
    for split in ("labeled", "unlabeled", "dev", "test"):
        said = narrow_band(rates, split, WIDE)
        assert said is not None
        assert said.startswith(
            f"corpus.{split}: 1.5 of 11.6 hours have nothing above 5,512 Hz (1.0 at 8,000 Hz, 0.5 at "
        )
    assert "all 1.0 hours" in str(narrow_band({"8000": 3600.0}, "test", WIDE))


def test_hours_that_were_not_opened_are_said_to_be_estimates() -> None:
    said = narrow_band({"16000": 3600.0}, "unlabeled", WIDE, {"8000": 36000.0, "16000": 3600.0})
    assert said is not None
    assert said.startswith(
        "corpus.unlabeled: about 10.0 of 12.0 hours have nothing above 4,000 Hz (10.0 at 8,000 Hz; estimated "
        "from a few recordings of each piece of the list), while frontend.high_hz is 7,600; set "
        "frontend.sample_rate=8000"
    )
    assert "about all 1.0 hours" in str(narrow_band({}, "unlabeled", WIDE, {"8000": 3600.0}))
    assert narrow_band({}, "unlabeled", WIDE, {"16000": 3600.0}) is None


def test_audio_up_to_the_band_is_let_through() -> None:
    assert narrow_band({"16000": 60.0, "44100": 60.0}, "labeled", WIDE) is None
    assert narrow_band({}, "labeled", WIDE) is None


@pytest.mark.parametrize(
    ("rate", "fix"), [(11025, "set frontend.high_hz=5300"), (12000, "set frontend.sample_rate=12000")]
)
def test_what_it_says_to_set_is_a_recipe_that_is_let_through(rate: int, fix: str) -> None:
    said = narrow_band({str(rate): 60.0}, "unlabeled", WIDE)
    assert fix in str(said)
    high = int(str(said).split("high_hz=")[1].split(",")[0])
    assert high < rate / 2
    assert narrow_band({str(rate): 60.0}, "unlabeled", Frontend(high_hz=high)) is None
