"""Dev's word error rates of a model: of the adapted cohorts, of speakers of other cohorts, and of those of none."""

from __future__ import annotations

import pytest

from ssl_asr.adaptation.results import SweepPoint
from ssl_asr.adaptation.scoring import check_dev, sweep_point
from ssl_asr.store.utterance import Utterance
from tests.fairness.made_up import table_of

SOUTH, NORTH, NOBODY = {"region": "south"}, {"region": "north"}, dict[str, str]()


def region(_: str, tags: dict[str, str]) -> str | None:
    return tags.get("region")


def point(*tags: dict[str, str]) -> SweepPoint:
    """Speakers of the south say every second word right, those of the north all; the others say none right."""
    rates = [{"south": 0.5, "north": 0.0}.get(each.get("region", ""), 1.0) for each in tags]
    return sweep_point(1.0, table_of(rates, tags), region, ("south",))


def test_speakers_of_no_cohort_are_no_others() -> None:
    found = point(SOUTH, SOUTH, NORTH, NORTH, NOBODY, NOBODY, NOBODY)
    assert found.adapted == pytest.approx(0.5, abs=0.1)
    assert (found.others, found.of_none) == (0.0, 1.0)
    assert found.mean == found.adapted / 2


def test_no_rate_is_of_one_speaker_or_of_nobody() -> None:
    assert (point(SOUTH, SOUTH, NORTH).others, point(SOUTH, SOUTH, NOBODY, NORTH).of_none) == (None, None)
    assert point(SOUTH, SOUTH, NOBODY, NOBODY).mean is None


def said(**tags: dict[str, str]) -> dict[str, Utterance]:
    return {
        name: Utterance(id=name, audio="a.wav", speaker=name, order=0, duration=1.0, text="a cat", tags=found)
        for name, found in tags.items()
    }


def test_dev_without_speakers_of_other_cohorts_is_refused() -> None:
    check_dev(said(a=SOUTH, b=SOUTH, c=NORTH, d=NORTH), region, ("south",))
    with pytest.raises(ValueError, match="dev has less than 2 speakers of cohorts beside south, so it can't choose"):
        check_dev(said(a=SOUTH, b=SOUTH, c=NOBODY, d=NOBODY, e=NORTH), region, ("south",))
