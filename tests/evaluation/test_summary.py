import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.error_rates import ALL, SpeakerLimits
from ssl_asr.evaluation.results import FrameAccuracy, Results, TuningPoint
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.evaluation.summary import (
    cells_of,
    frame_accuracies,
    out_of_vocabulary,
    reductions,
    score,
    scored_recordings,
    word_error_rate,
    word_errors,
)
from ssl_asr.evaluation.table import format_table
from ssl_asr.evaluation.transcripts import read_transcripts, write_transcripts
from ssl_asr.store.results_layout import hypotheses_uri
from ssl_asr.store.utterance import Utterance

DRAWS = Draws(100, 1)
SYSTEMS = ("baseline", "teacher", "student")


def _said(
    name: str, text: str | None, set_: str, condition: str = "clean", speaker: str = "s", **tags: str
) -> Utterance:
    recording, tags = name.partition("@")[0], {"set": set_, **tags}
    return Utterance(name, "a.wav", speaker, 0, 1.0, text=text, recording=recording, condition=condition, tags=tags)


SAID = {
    each.id: each
    for each in [
        _said("b1", "oh dear me", "bob"),
        _said("b1@room", "oh dear me", "bob", "room"),
        _said("j1", "who said zyzzyva", "joe"),
        _said("j2", "", "joe"),
        _said("j3", None, "joe"),
    ]
}


def _decoded(**words: str) -> list[DecodedSlab]:
    """One hypothesis of ten labelled frames an utterance, `right` of them correct."""
    names = {"b1": "b1", "room": "b1@room", "j1": "j1", "j2": "j2", "j3": "j3"}
    found = [Hypothesis(names[name], tuple(said.split()), 10, 10, len(said.split())) for name, said in words.items()]
    return [DecodedSlab({}, 1.0, tuple(found[:2])), DecodedSlab({}, 1.0, tuple(found[2:]))]


PERFECT = _decoded(b1="oh dear me", room="oh dear me", j1="who said zyzzyva", j2="", j3="whatever")
WORSE = _decoded(b1="oh dear", room="oh", j1="who said what", j2="hm", j3="")


def test_utterances_without_text_are_not_scored_those_with_empty_text_are():
    scored = {each.id: each.edits for each in score(SAID, WORSE)}
    assert set(scored) == {"b1", "b1@room", "j1", "j2"}
    assert (scored["j2"].words, scored["j2"].insertions) == (0, 1)
    with pytest.raises(ValueError, match="text"):
        score(SAID, [DecodedSlab({}, 1.0, (Hypothesis("j3", (), 1, 0, 0),))])


def test_the_table_says_of_how_many_utterances_it_speaks():
    whole = {name: score(SAID, _decoded(b1="oh", room="oh", j1="who", j2="")) for name in SYSTEMS}
    assert scored_recordings(SAID, whole) == 3  # j3 has no text
    less = {**whole, "teacher": score(SAID, _decoded(b1="oh", j1="who", j2=""))}  # a copy of b1 is missing
    assert scored_recordings(SAID, less) == 2
    told = format_table(replace(_results(), listed=12, scored=9))
    assert "Scored: 9 of 12 listed utterances; 3 were rejected." in told
    assert "Scored: 12 of 12 listed utterances." in format_table(replace(_results(), listed=12, scored=12))
    assert "Scored" not in format_table(_results())


def test_every_cell_and_aggregate_counts_its_utterances():
    systems = {"baseline": score(SAID, WORSE), "teacher": score(SAID, WORSE), "student": score(SAID, PERFECT)}
    rows, gains = word_errors(systems, DRAWS), reductions(systems["baseline"], systems["student"], DRAWS)
    baseline = {(row.set, row.condition): row for row in rows if row.system == "baseline"}
    assert set(baseline) == {
        ("bob", "clean"),
        ("bob", "room"),
        ("bob", ALL),
        ("joe", "clean"),
        ("joe", ALL),
        (ALL, "clean"),
        (ALL, "room"),
        (ALL, ALL),
    }
    whole = baseline[ALL, ALL]
    assert (whole.words, whole.insertions, whole.deletions, whole.substitutions, whole.utterances) == (9, 1, 3, 1, 4)
    assert whole.wer == pytest.approx(5 / 9)
    assert baseline["bob", "room"].deletions == 2
    assert baseline[ALL, "clean"].words == 6
    assert [(each.set, each.condition) for each in gains] == list(baseline)
    assert {each.werr for each in gains} == {1.0}


def test_a_set_of_another_channel_is_in_no_headline_but_in_everything():
    said = {
        name: replace(each, tags={**each.tags, "channel": "other"})
        for name, each in SAID.items()
        if each.tags["set"] == "joe"
    }
    systems = {"baseline": score(SAID | said, WORSE), "student": score(SAID | said, PERFECT)}
    assert cells_of(systems["baseline"]).headline == "bob"
    rows = {(row.set, row.condition): row for row in word_errors(systems, DRAWS) if row.system == "baseline"}
    assert (rows["bob", ALL].words, rows["joe", ALL].words, rows[ALL, ALL].words) == (6, 3, 9)


def test_speakers_are_counted_and_too_few_get_no_interval():
    said = {f"u{n}": _said(f"u{n}", "oh dear", "few" if n < 2 else "many", speaker=f"s{n}") for n in range(6)}
    decoded = [
        DecodedSlab({}, 1.0, tuple(Hypothesis(name, ("oh",) * (n % 3), 1, 0, 0) for n, name in enumerate(said)))
    ]
    perfect = [DecodedSlab({}, 1.0, tuple(Hypothesis(name, ("oh", "dear"), 1, 0, 0) for name in said))]
    systems = {"baseline": score(said, decoded), "student": score(said, perfect)}
    rows = {(row.set, row.system): row.by_speaker for row in word_errors(systems, DRAWS) if row.condition == ALL}
    gains = {each.set: each.by_speaker for each in reductions(*systems.values(), DRAWS) if each.condition == ALL}
    assert rows["few", "baseline"] == gains["few"] == SpeakerLimits(2)
    assert (rows["many", "baseline"].speakers, rows[ALL, "student"].speakers, gains[ALL].speakers) == (4, 6, 6)
    assert rows["many", "baseline"].low < rows["many", "baseline"].high
    assert gains[ALL].low == gains[ALL].high == 1


def test_frame_accuracy_by_cell_and_none_without_alignments():
    found = {(each.set, each.condition): each.accuracy for each in frame_accuracies({"student": PERFECT}, SAID)}
    assert found["bob", "room"] == 0.3
    assert found["joe", "clean"] == pytest.approx((3 + 0 + 1) / 30)
    assert found[ALL, ALL] == pytest.approx(10 / 50)
    blind = [DecodedSlab({}, 1.0, (Hypothesis("b1", (), 10, 0, 0),))]
    assert frame_accuracies({"student": blind}, SAID) == []


def test_out_of_vocabulary_words_are_counted_among_those_said():
    assert out_of_vocabulary(SAID.values(), ["oh", "dear", "me", "who", "said"]) == pytest.approx(1 / 9)
    assert out_of_vocabulary([], []) == 0


def test_transcripts_are_one_json_object_a_line(tmp_path):
    write_transcripts(str(tmp_path), "student", WORSE, SAID)
    lines = [json.loads(line) for line in Path(hypotheses_uri(str(tmp_path), "student")).read_text().splitlines()]
    assert lines[1] == {
        "id": "b1@room",
        "set": "bob",
        "condition": "room",
        "reference": "oh dear me",
        "hypothesis": "oh",
    }
    assert len(lines) == 5
    found = [asdict(each) for each in read_transcripts(str(tmp_path), "student")]
    assert found == [{"error": "", "confidences": (), "speaker": "", "tags": {}, **each} for each in lines]


def _results() -> Results:
    systems = {"baseline": score(SAID, WORSE), "teacher": score(SAID, WORSE), "student": score(SAID, PERFECT)}
    rows = word_errors(systems, DRAWS)
    gains = reductions(systems["baseline"], systems["student"], DRAWS, systems["teacher"])
    accuracy = [FrameAccuracy("student", ALL, ALL, 0.4)]
    dev = [row for row in rows if row.set == ALL]
    tuning = [TuningPoint("student", 0.35, 0.5, 0.4)]
    scales = {"prior_scale": {"student": 0.5}, "at_bound": ["teacher"], "other_channels": []}
    return Results(dict.fromkeys(SYSTEMS, 0.35), rows, gains, accuracy, 50.0, 0.11, **scales, dev=dev, tuning=tuning)


def test_results_come_back_as_they_were_written(tmp_path):
    results = replace(_results(), inputs={"version": "1", "evaluate.beam": "9.0"})
    write_results(str(tmp_path), results)
    assert asdict(read_results(str(tmp_path))) == asdict(results)
    kept = json.loads((tmp_path / "decoding" / "results.json").read_text())
    scores = {"rows", "werr", "frame_accuracy", "decode_x_real_time", "oov_rate", "inputs"}
    choices = {"kappa", "prior_scale", "dev", "tuning", "at_bound", "models"}
    others = {"headline", "other_channels", "listed", "scored", "transducers", "conversations"}
    assert set(kept) == scores | choices | others


def test_the_rate_of_all_is_that_of_all_words():
    assert word_error_rate(score(SAID, WORSE)) == pytest.approx(5 / 9)


def test_results_that_were_never_written_are_asked_for_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"results\.json"):
        read_results(str(tmp_path))


def test_the_tables_show_every_cell_with_three_systems_and_the_reduction():
    lines = format_table(_results()).splitlines()
    between = lines.index("")
    rates, gains = ([line.split() for line in part] for part in (lines[2:between], lines[between + 3 :]))
    results = _results()
    assert [row[:2] for row in rates] == [[each.set, each.condition] for each in results.werr]
    main = [[each.set, each.condition] for each in results.main_reductions()]
    assert [row[:2] for row in gains[: len(main)]] == main
    assert main == [[ALL, "clean"], [ALL, "room"], ["bob", ALL], ["joe", ALL], [ALL, ALL]]
    assert rates[-1][2:4] == ["9", "55.6"]
    # The teacher stands for a topline here: it gains nothing, so there is no share of that.
    assert gains[len(main) - 1] == ["all", "all", "+100.0", "[+100.0,", "+100.0]", "1", "speaker", "1.000", "-"]
    assert "teacher 0.35 (at the search's bound); SSL student 0.35, prior 0.5" in lines[-1]
    assert max(map(len, lines)) <= 120


def test_the_table_names_its_headline_and_the_sets_that_are_not_in_it():
    told = format_table(replace(_results(), headline="bob", other_channels=["joe"]))
    assert "joe (other channel)  clean" in told
    assert "Headline: bob. Not in it: joe" in told
