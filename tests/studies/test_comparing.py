"""The figures of a study against hand-made scores, and the verdict of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssl_asr.evaluation.scoring import Edits, ScoredUtterance
from ssl_asr.studies.comparing import outcome_of
from ssl_asr.studies.outcome import Outcome
from ssl_asr.studies.verdict import limits_of
from tests.studies.made_up import DRAWS, MADE, outcome, scored, scores, study, with_bytes


def test_rates_and_reductions_are_those_of_the_counts() -> None:
    found = outcome(old=8, new=6)
    old, new = found.errors
    assert (old.variant, old.system) == ("old", "student")
    assert old.wer == pytest.approx({1: 8.5 / 20, 2: 9.5 / 20})
    assert new.mean == pytest.approx((6.5 + 7.5) / 40)
    compared = found.compared[0]
    assert compared.by_seed == pytest.approx({1: 2 / 8.5, 2: 2 / 9.5})
    assert compared.overall.werr == pytest.approx(4 / 18), "of all seeds' utterances together"
    assert {each.condition for each in compared.cells} == {"clean", "babble-10", "all"}
    assert compared.overall.by_speaker.speakers == 6, "a speaker of both seeds is one block"


def test_rates_have_an_interval_over_speakers_of_all_seeds() -> None:
    alike = outcome().errors[0]
    assert (alike.low, alike.high) == pytest.approx((0.45, 0.45)), "all speakers make as many errors"
    uneven = {
        system: {
            seed: [each if each.speaker < "speaker 3" else spared(each) for each in found]
            for seed, found in seeds.items()
        }
        for system, seeds in scores(8, 6).items()
    }
    old, _ = outcome_of(study(), uneven, DRAWS, MADE).errors
    assert old.low is not None
    assert old.high is not None
    assert 0.05 < old.low < old.mean < old.high < 0.45


def spared(said: ScoredUtterance) -> ScoredUtterance:
    return replace(said, edits=Edits(20, substitutions=1))


def test_figures_of_stages_are_compared_seed_by_seed() -> None:
    words, sent = with_bytes().compared
    assert words == outcome().compared[0], "word errors are as without figures"
    assert sent.by_seed == pytest.approx({1: 0.75, 2: 0.6})
    wide = 12.706 * 0.075  # Student's t with one degree of freedom, times the standard error of two seeds
    assert limits_of(sent.overall) == pytest.approx((0.675 - wide, 0.675 + wide), abs=1e-4)
    assert sent.verdict == "can't tell", "two seeds that differ much"
    assert [(each.variant, each.figure, each.values) for each in with_bytes().figures] == [
        ("old", "megabytes_sent", {1: 100.0, 2: 100.0}),
        ("new", "megabytes_sent", {1: 25.0, 2: 40.0}),
    ]


def sending(*megabytes: float, at_least: float = 50) -> str:
    """The verdict on what the new system sends, by seed, in place of 100."""
    made = with_bytes(at_least=at_least).study
    asked = made.model_copy(update={"comparisons": made.comparisons[1:], "seeds": (*range(len(megabytes)),)})
    figures = {
        ("old", "student", "megabytes_sent"): dict.fromkeys(range(len(megabytes)), 100.0),
        ("new", "student", "megabytes_sent"): dict(enumerate(megabytes)),
    }
    return outcome_of(asked, {}, DRAWS, MADE, figures).compared[0].verdict


def test_the_verdict_on_a_figure_is_of_an_interval_over_seeds() -> None:
    assert sending(25, 40, 30) == "reproduced"
    assert sending(25, 40, 30, at_least=80) == "partly"
    assert sending(25, 25) == "reproduced", "seeds that do not differ"
    assert sending(99, 90, 80) == "not", "fewer in every seed, which three show by chance once in eight times"
    assert sending(99, 90, 70, at_least=20) == "can't tell"
    assert sending(25) == "can't tell", "one seed has no interval"


def test_a_percentage_of_nothing_is_refused() -> None:
    fewer = with_bytes().study.model_copy(update={"comparisons": with_bytes().study.comparisons[1:]})
    nothing = {("old", "student", "megabytes_sent"): {1: 0.0}, ("new", "student", "megabytes_sent"): {1: 0.0}}
    with pytest.raises(ValueError, match="'new sends less', seed 1: megabytes sent of old/student is 0, and nothing"):
        outcome_of(fewer, {}, DRAWS, MADE, nothing)


def test_the_verdict_is_of_the_mean_and_the_interval_over_speakers() -> None:
    assert outcome(old=8, new=6, at_least=20).compared[0].verdict == "reproduced"
    assert outcome(old=8, new=6, at_least=30).compared[0].verdict == "partly"
    assert outcome(old=8, new=8, at_least=5).compared[0].verdict == "not"


def test_with_two_speakers_the_interval_is_over_recordings() -> None:
    few = {system: {1: scored(5, speakers=2)} for system in (("old", "student"), ("new", "student"))}
    found = outcome_of(study(seeds=(1,)), few, DRAWS, MADE).compared[0].overall
    assert found.by_speaker.low is None
    assert limits_of(found) == (found.low, found.high)


def test_speakers_who_differ_widen_the_interval() -> None:
    """A gain of one speaker alone is not clear, whatever the number of utterances."""
    gains = scores(8, 8)
    one = {
        seed: [replace(each, edits=Edits(20)) if each.speaker == "speaker 0" else each for each in found]
        for seed, found in gains["new", "student"].items()
    }
    found = outcome_of(study(), {**gains, ("new", "student"): one}, DRAWS, MADE).compared[0]
    assert found.mean > 0.1
    assert limits_of(found.overall)[0] == pytest.approx(0, abs=1e-9)
    assert found.verdict == "can't tell"


def test_other_test_speech_is_refused() -> None:
    other = scores(8, 6)
    other["new", "student"][2].pop()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="'new against old', seed 2: the two were not scored on the same utterances"):
        outcome_of(study(), other, DRAWS, MADE)


def _in_conditions(conditions: tuple[str, ...], beyond: tuple[str, ...] = (), *, noisy: int) -> Outcome:
    """The new system makes 2 errors fewer of 8 in clean speech, and `noisy` fewer in noise."""
    made = {system: dict(found) for system, found in scores(old=8, new=6).items()}
    for seed, said in made["new", "student"].items():
        made["new", "student"][seed] = [
            replace(each, edits=Edits(20, substitutions=each.edits.substitutions + 2 - noisy))
            if each.condition == "babble-10"
            else each
            for each in said
        ]
    asked = study(at_least=0)
    one = asked.comparisons[0].model_copy(update={"conditions": conditions, "beyond": beyond})
    return outcome_of(asked.model_copy(update={"comparisons": (one,)}), made, DRAWS, MADE)


def test_conditions_choose_what_is_compared() -> None:
    found = _in_conditions(("babble-10",), noisy=4).compared[0]
    assert found.by_seed == pytest.approx({1: 4 / 8.5, 2: 4 / 9.5})
    assert [(each.set, each.condition) for each in found.cells] == [("all", "all")]


def test_the_gain_in_noise_beyond_that_on_clean_speech() -> None:
    more = _in_conditions(("babble-10",), ("clean",), noisy=4).compared[0]
    assert more.by_seed == pytest.approx({1: 2 / 8.5, 2: 2 / 9.5})
    assert more.overall.werr == pytest.approx(2 / 9)
    assert more.overall.by_speaker.speakers == 6
    assert more.verdict == "reproduced"
    assert _in_conditions(("babble-10",), ("clean",), noisy=1).compared[0].verdict == "not", "it is smaller"
    assert _in_conditions(("babble-10",), ("clean",), noisy=2).compared[0].verdict == "can't tell", "it is the same"


def test_conditions_that_nothing_was_said_in_are_refused() -> None:
    for conditions, beyond in ((("room",), ()), (("clean", "room"), ()), (("clean",), ("room",))):
        with pytest.raises(ValueError, match="'new against old', seed 1: no test speech is in room; name another"):
            _in_conditions(conditions, beyond, noisy=2)


def test_of_two_that_recognise_nothing_neither_is_shown_to_be_no_worse() -> None:
    assert outcome(old=8, new=8, at_least=-1).compared[0].verdict == "reproduced"
    assert outcome(old=20, new=20, at_least=-1).compared[0].verdict == "can't tell"
