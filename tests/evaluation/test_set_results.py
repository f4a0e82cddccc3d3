"""Results on transcribed speech: figures of all and by tag, of one system and of two."""

from collections.abc import Mapping

import pytest

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.set_results import MOST_VALUES, set_results, tags_of
from ssl_asr.evaluation.set_table import format_set_table
from ssl_asr.evaluation.transcribed_set import TranscribedSet
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

DRAWS = Draws(200, 1)


def spoken(utterances: int = 12, speakers: int = 4) -> TranscribedSet:
    return TranscribedSet(
        "kaldi:/data/test",
        tuple(
            Utterance(
                f"u{number}",
                "a.wav",
                f"s{number % speakers}",
                number,
                1.0,
                text="one two three",
                tags={"noise": ("street", "")[number % 2], "take": str(number)} if number % 2 == 0 else {},
            )
            for number in range(utterances)
        ),
        (Reject("v", "the text is empty"),),
        A_TO_Z,
    )


def words(test: TranscribedSet, wrong: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {each.id: tuple(wrong.get(each.id, "one two three").split()) for each in test.utterances}


def test_edits_are_counted_of_all_and_by_every_tag_that_makes_groups() -> None:
    test = spoken()
    results = set_results(
        test, {"bundle": words(test, {"u0": "one two", "u1": "one one two three", "u2": ""})}, DRAWS
    )
    (row,) = results.rows
    assert (row.wer, row.words, row.insertions, row.deletions, row.substitutions) == (5 / 36, 36, 1, 4, 0)
    assert row.low <= row.wer <= row.high
    assert row.by_speaker.speakers == 4
    assert (results.werr, results.significance, results.unscored) == (None, None, 1)
    assert [part.tag for part in results.by_tag] == ["speaker", "noise"]  # "take" has one utterance a value
    by_noise = {row.set: row.wer for row in results.by_tag[1].rows}
    assert by_noise == {"street": 4 / 18, "": 1 / 18}
    table = format_set_table(results)
    assert "utterances; 1 was rejected." in table
    assert "13.9 [" in table
    assert "street" in table
    assert "WERR" not in table
    assert "Rows of speaker and of noise: the most words come first." in table


def test_the_second_system_is_compared_with_the_first() -> None:
    test = spoken()
    errors = {f"u{number}": "one two" for number in range(8)}
    results = set_results(test, {"old": words(test, errors), "new": words(test, {"u0": "one two"})}, DRAWS)
    assert results.werr is not None
    assert results.significance is not None
    assert results.werr.werr == pytest.approx(7 / 8)
    assert (results.significance.fewer, results.significance.more) == (4, 0)
    assert results.significance.p == pytest.approx(2 / 16)
    assert {each.set: each.werr for each in results.by_tag[0].werr} == {
        "s0": pytest.approx(0.5),
        **{f"s{number}": 1.0 for number in (1, 2, 3)},
    }
    assert "new has fewer errors for 4 of 4 speakers and more for 0: p = 0.12" in format_set_table(results)


def test_a_reduction_of_no_errors_is_not_shown() -> None:
    test = spoken()
    old, new = words(test, {"u0": "one two"}), words(test, {"u1": "one two three four"})
    lines = {
        tuple(line.split()[:2]): line.split()[2:]
        for line in format_set_table(set_results(test, {"old": old, "new": new}, DRAWS)).split("\n\n")[2].split("\n")
        if line.startswith("speaker")
    }
    assert lines["speaker", "s0"][0] == "+100.0"
    assert [lines["speaker", f"s{number}"][:2] for number in (1, 2)] == [["-", "-"]] * 2
    assert "- where old has no error." in format_set_table(set_results(test, {"old": old, "new": new}, DRAWS))


def test_two_speakers_allow_no_test() -> None:
    test = spoken(speakers=2)
    table = format_set_table(set_results(test, {"old": words(test, {"u0": ""}), "new": words(test, {})}, DRAWS))
    assert "With less than 3 speakers no test over speakers is possible." in table
    assert "is chance" not in table


def test_what_one_system_could_not_use_is_in_no_figure() -> None:
    test = spoken()
    some = {name: found for name, found in words(test, {}).items() if name != "u3"}
    results = set_results(test, {"old": words(test, {"u3": ""}), "new": some}, DRAWS)
    assert [(row.utterances, row.wer) for row in results.rows] == [(11, 0.0), (11, 0.0)]
    assert results.unscored == 2
    with pytest.raises(ValueError, match="nothing of kaldi:/data/test was recognised"):
        set_results(test, {"new": {}}, DRAWS)


def test_of_many_speakers_those_with_the_most_words_are_shown() -> None:
    test = spoken(120, 40)
    results = set_results(test, {"bundle": words(test, {})}, DRAWS)
    (speaker,) = (part for part in results.by_tag if part.tag == "speaker")
    assert (speaker.values, len(speaker.rows)) == (40, MOST_VALUES)
    assert f"Of 40 values of speaker, the {MOST_VALUES} with the most words are shown" in format_set_table(results)


def test_a_speaker_for_each_utterance_makes_no_groups() -> None:
    assert tags_of(spoken(12, 12).utterances) == ["noise"]
